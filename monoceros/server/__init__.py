"""One event loop's worth of serving: listeners, lifespan, the tick, and the drain."""
