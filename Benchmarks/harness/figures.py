"""What a measurement is: our figure, a peer's taken in the same run, and the bound that ours has to
keep."""

import dataclasses
import math
import statistics


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound on the ratio to the peer, or on our figure itself."""
    text: str
    is_met: object  # (ours, ratio) -> bool


def ratio_at_least(bound):
    return Target(f"ratio ≥ {bound:g}", lambda ours, ratio: ratio >= bound)


def ratio_at_most(bound):
    return Target(f"ratio ≤ {bound:g}", lambda ours, ratio: ratio <= bound)


def at_least(bound, unit):
    return Target(f"≥ {bound:,} {unit}", lambda ours, ratio: ours >= bound)


def at_most(bound, unit):
    return Target(f"≤ {bound:g} {unit}", lambda ours, ratio: ours <= bound)


@dataclasses.dataclass(frozen=True)
class Figure:
    """Without a peer it is a cost, for whoever plans a machine."""
    subject: str
    unit: str
    our_rounds: list
    peer: str = ""
    their_rounds: list = None
    target: Target = None
    label: str = "rest-auth"  # what our bar is called in the chart

    @property
    def ours(self):
        return statistics.median(self.our_rounds)

    @property
    def theirs(self):
        return statistics.median(self.their_rounds) if self.peer else None

    @property
    def ratio(self):
        """The median of the rounds' own ratios: what slows the machine down for a while slows both
        sides of a round."""
        if not self.peer:
            return None
        return statistics.median(ours / theirs for ours, theirs in zip(self.our_rounds, self.their_rounds))

    @property
    def is_missed(self):
        return self.target is not None and not self.target.is_met(self.ours, self.ratio)


def compare(subject, unit, rounds, targets=None):
    """One figure for each peer in `rounds`, which holds ours as well; `targets` are by peer."""
    targets = targets or {}
    return [Figure(subject, unit, rounds["rest-auth"], peer, theirs, targets.get(peer))
            for peer, theirs in rounds.items() if peer != "rest-auth"]


def interleaved(rounds, contestants):
    """What each contestant measured, round by round. They take turns, so that all of them see the
    machine at its best and at its worst."""
    measured = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            measured[name].append(measure())
    return measured


def percentile(percent, values):
    """The nearest rank."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
