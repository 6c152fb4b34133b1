"""A `WorkerHost` that writes down what it is told."""


class Host:
    """See the module.

    Attributes:
        told: "ready", "beat", "stopped", and the reasons of limits that are reached, in their order.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def server_ready(self) -> None:
        self.told.append("ready")

    def beat(self) -> None:
        self.told.append("beat")

    def limit_reached(self, reason: str) -> None:
        self.told.append(reason)

    def server_stopped(self) -> None:
        self.told.append("stopped")
