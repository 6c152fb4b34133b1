"""The master's own renewal: a trial of new code before this master executes anew, and a second master beside it.

A part of the policy, as pure as the rest of it. The rule it keeps: the old is left alone until the new has been shown
to work, and one trial or one second master at a time.
"""

import math

from monoceros.supervisor import events as ev
from monoceros.supervisor.rules import LONGEST_TRIAL, Rules


class Renewal:
    """How far it is.

    Attributes:
        trial_until: when a running trial has to have ended; infinite while there is none.
        successor: a second master lives.
    """

    def __init__(self) -> None:
        self.trial_until = math.inf
        self.successor = False
        self._trying = False
        self._again = False
        self._shown = False

    @property
    def tries(self) -> bool:
        """Whether a trial is running."""
        return self._trying

    def start_trial(self, now: float, rules: Rules) -> list[ev.Action]:
        """Try the new code; asked for again meanwhile, it may have changed, and is tried again."""
        if self._trying:
            self._again = True
            return []
        if self.successor:
            return [ev.Decline("a second master is taking over")]
        self._trying = True
        self.trial_until = now + min(rules.start_timeout, LONGEST_TRIAL)
        return [ev.StartTrial()]

    def trial_ended(self, good: bool, now: float, rules: Rules) -> list[ev.Action]:
        """The trial is over: execute, or leave it."""
        if not self._trying:
            return []
        again, self._again = self._again, False
        self._trying, self.trial_until = False, math.inf
        if again:
            return self.start_trial(now, rules)
        self._shown = good
        return [] if good else [ev.ReloadFailed()]

    def execution(self) -> list[ev.Action]:
        """Execute, if new code was shown to work. Nothing comes back from that: it is the last thing to decide."""
        shown, self._shown = self._shown, False
        return [ev.Execute()] if shown and not self._trying and not self.successor else []

    def end_trial(self) -> list[ev.Action]:
        """Nobody waits for the trial any more, if there is one."""
        if not self._trying:
            return []
        self._trying, self._again, self.trial_until = False, False, math.inf
        return [ev.EndTrial()]

    def enforce(self, now: float) -> list[ev.Action]:
        """End a trial that takes too long."""
        if self.trial_until > now:
            return []
        return [*self.end_trial(), ev.ReloadFailed("the new code was not ready in time")]

    def rearm(self, now: float, rules: Rules) -> None:
        """Let a running trial have its whole time again, because the machine slept."""
        if self._trying:
            self.trial_until = now + min(rules.start_timeout, LONGEST_TRIAL)

    def start_successor(self) -> list[ev.Action]:
        """Start a second master, unless there is one."""
        if self._trying:
            return [ev.Decline("new code is being tried for a reload")]
        if self.successor:
            return [ev.Decline("a second master was started already, and lives")]
        self.successor = True
        return [ev.StartSuccessor()]
