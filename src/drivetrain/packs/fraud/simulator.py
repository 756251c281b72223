"""A made-up world of card payments, with fraud whose truth is known. The same seed gives the same payments, always.

``history`` gives 75 days of payments, ``upcoming`` the ten days that follow. docs/packs/fraud.md describes the world:
habits, seasons, what looks like fraud and is none, and four patterns of fraud. Replace both by your own sources.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

SEED = 26
START = datetime(2024, 6, 1, tzinfo=UTC)
HISTORY_DAYS, COMING_DAYS = 75, 10
DAYS = HISTORY_DAYS + COMING_DAYS
CARDS, SHOPS, WEB_SHOPS = 1500, 300, 60
COUNTRIES = ("CH", "DE", "FR")
CATEGORIES = ("food", "fuel", "clothes", "travel", "electronics", "games")
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 16, 20, 24, 20, 16, 16, 18, 24, 26, 22, 16, 10, 6, 3)
WEEK = (0.9, 0.9, 0.95, 1.0, 1.2, 1.4, 0.8)
DAY = 86_400.0
Value = str | float | bool | datetime | None
Payment = dict[str, Value]


class Card:
    """One card: where it lives, what it spends, where, on which devices, and from when to when."""

    def __init__(self, number: int, chance: Random) -> None:
        self.name = f"card-{number:05d}"
        self.country = chance.choices(COUNTRIES, (6, 3, 1))[0]
        self.mean = math.exp(chance.gauss(3.3, 0.5))
        self.rate = min(4.0, math.exp(chance.gauss(-0.3, 0.6)))
        self.online = chance.betavariate(2, 4)
        self.shops = chance.sample(range(SHOPS), 12)
        self.web = chance.sample(range(WEB_SHOPS), 5)
        family = number - 1 if number and chance.random() < 0.06 else number
        self.devices = [f"device-{family:05d}", *([f"tablet-{number:05d}"] if chance.random() < 0.3 else [])]
        self.first = 0.0 if chance.random() < 0.85 else chance.uniform(0, DAYS)
        self.last = DAYS if chance.random() < 0.95 else chance.uniform(self.first, DAYS)
        self.blocked: list[tuple[float, float]] = []

    def lives(self, day: float) -> bool:
        """Whether the card can be used: it is issued, and not blocked."""
        return self.first <= day < self.last and not any(start <= day < end for start, end in self.blocked)


class World:
    """All payments of one seed, each as a dict; the fraud first, because a card that was blocked pays nothing."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311 - a made-up world, no secret
        self.cards = [Card(number, self.chance) for number in range(CARDS)]
        self.shop_country = [self.chance.choices(COUNTRIES, (6, 3, 2))[0] for _ in range(SHOPS + WEB_SHOPS)]
        self.shop_kind = [self.chance.choice(CATEGORIES) for _ in range(SHOPS + WEB_SHOPS)]
        self.payments: list[tuple[datetime, Payment]] = []

    def make(self) -> list[tuple[datetime, Payment]]:
        """Every payment with its moment and its name, in the order of time."""
        visits = {card.name: self._habits(card) for card in self.cards}
        self._stolen()
        self._terminals(visits)
        self._testing()
        self._takeovers()
        for card in self.cards:
            for day, shop, amount, device in visits[card.name]:
                if card.lives(day):
                    self._pay(card, day, shop, amount, device)
        ordered = sorted(self.payments, key=lambda paid: (paid[0], str(paid[1]["card"])))
        return [(moment, {"payment": f"p{number:07d}", **paid}) for number, (moment, paid) in enumerate(ordered)]

    # --- what people do ----------------------------------------------------------------------------------------

    def _habits(self, card: Card) -> list[tuple[float, int, float, str]]:
        visits = []
        trip = self.chance.uniform(0, DAYS) if self.chance.random() < 0.12 else -99.0
        for day in range(DAYS):
            season = WEEK[(START + timedelta(days=day)).weekday()] * (1.3 if 24 <= day % 30 <= 27 else 1.0)
            away = trip <= day < trip + 5
            for _ in range(self._count(card.rate * season * (2.0 if away else 1.0))):
                visits.append(self._visit(card, day, away=away))
            if self.chance.random() < 0.004:  # a day of shopping: many payments within hours, as a thief makes them
                start = day + 0.4 + 0.3 * self.chance.random()
                for _ in range(self.chance.randint(5, 11)):
                    _, shop, amount, device = self._visit(card, day, away=away)
                    visits.append((start + self.chance.random() * 0.15, shop, 1.5 * amount, device))
        return visits

    def _visit(self, card: Card, day: int, *, away: bool) -> tuple[float, int, float, str]:
        hour = self.chance.choices(range(24), HOURS)[0]
        moment = day + (hour + self.chance.random()) / 24
        amount = card.mean * math.exp(self.chance.gauss(0, 0.7)) * (1.6 if away else 1.0)
        if self.chance.random() < card.online:
            shop = SHOPS + (self.chance.choice(card.web) if self.chance.random() < 0.8 else self._any_web())
            new = self.chance.random() < 0.004  # people buy telephones too
            return moment, shop, amount, f"new-{self.chance.randrange(10**6):06d}" if new else self._own(card)
        usual = self.chance.random() < 0.85 and not away
        shop = self.chance.choice(card.shops) if usual else self.chance.randrange(SHOPS)
        return moment, shop, amount, f"till-{shop:04d}"

    # --- what thieves do ---------------------------------------------------------------------------------------

    def _stolen(self) -> None:
        """A card is stolen and used at strange shops within hours, for more than its owner spends."""
        for card, day in self._victims(0.0009):
            start, gap = day + self.chance.random(), self.chance.uniform(0.01, 0.05)
            for number in range(self.chance.randint(2, 7)):
                shop = self.chance.randrange(SHOPS)
                amount = card.mean * self.chance.uniform(1.2, 4.0)
                self._pay(card, start + number * gap, shop, amount, f"till-{shop:04d}", "stolen", miss=0.15)
            card.blocked.append((start + 0.3, start + 3))

    def _terminals(self, visits: dict[str, list[tuple[float, int, float, str]]]) -> None:
        """A terminal copies the cards that are used there; days later they pay at web shops."""
        for _ in range(9):
            shop, start = self.chance.randrange(SHOPS), self.chance.uniform(0, DAYS - 8)
            end = start + self.chance.uniform(5, 10)
            for card in self.cards:
                seen = [day for day, at, _, _ in visits[card.name] if at == shop and start <= day < end]
                if seen and self.chance.random() < 0.6:
                    first = seen[0] + self.chance.uniform(0.5, 4)
                    device = f"copy-{self.chance.randrange(10**6):06d}"
                    for number in range(self.chance.randint(1, 4)):
                        amount = card.mean * self.chance.uniform(1.5, 5)
                        self._pay(card, first + number * 0.04, SHOPS + self._any_web(), amount, device, "terminal")
                    card.blocked.append((first + 0.2, first + 3))

    def _testing(self) -> None:
        """One device tries many card numbers with tiny payments; what works is used within a day."""
        for _ in range(26):
            start, shop = self.chance.uniform(0, DAYS - 1), SHOPS + self._any_web()
            device = f"bot-{self.chance.randrange(10**6):06d}"
            for number, card in enumerate(self.chance.sample(self.cards, self.chance.randint(12, 40))):
                self._pay(card, start + number / 2880, shop, self.chance.uniform(0.5, 3), device, "testing", miss=0.6)
                if self.chance.random() < 0.15:
                    amount = card.mean * self.chance.uniform(3, 8)
                    later = start + self.chance.uniform(0.05, 0.8)
                    self._pay(card, later, SHOPS + self._any_web(), amount, device, "testing")
                    card.blocked.append((later + 0.1, later + 3))

    def _takeovers(self) -> None:
        """Somebody takes over an account: a new device, at night, electronics and travel, more each time."""
        for card, day in self._victims(0.0010):
            start, device = day + self.chance.uniform(0, 0.25), f"taker-{self.chance.randrange(10**6):06d}"
            for number in range(self.chance.randint(2, 5)):
                shop = self.chance.choice([at for at in range(SHOPS, SHOPS + WEB_SHOPS) if self._dear(at)])
                amount = card.mean * (1.0 + 1.2 * number) * self.chance.uniform(0.8, 1.6)
                self._pay(card, start + number * self.chance.uniform(0.02, 0.2), shop, amount, device, "takeover")
            card.blocked.append((start + 1.2, start + 4))

    # --- payments ----------------------------------------------------------------------------------------------

    def _pay(
        self, card: Card, day: float, shop: int, amount: float, device: str, pattern: str = "", miss: float = 0.01
    ) -> None:
        if not 0 <= day < DAYS:
            return
        late = 1.0 if pattern == "testing" else min(10.0, math.exp(self.chance.gauss(1.2, 0.6)))
        moment = START + timedelta(seconds=round(day * DAY))
        paid: Payment = {
            "paid_at": moment,
            "card": card.name,
            "card_country": card.country,
            "shop": f"shop-{shop:04d}",
            "country": self.shop_country[shop],
            "category": self.shop_kind[shop],
            "channel": "web" if shop >= SHOPS else "till",
            "device": device,
            "amount": round(max(0.5, amount), 2),
            "check_failed": self.chance.random() < miss,
            "fraud": bool(pattern),
            "pattern": pattern or None,
            "known_at": moment + timedelta(days=late),
        }
        self.payments.append((moment, paid))

    def _victims(self, rate: float) -> Iterator[tuple[Card, int]]:
        for day in range(DAYS):
            for card in self.cards:
                if self.chance.random() < rate and card.lives(day):
                    yield card, day

    def _count(self, mean: float) -> int:
        """A Poisson number (Knuth)."""
        limit, product, count = math.exp(-mean), self.chance.random(), 0
        while product > limit:
            product *= self.chance.random()
            count += 1
        return count

    def _own(self, card: Card) -> str:
        return self.chance.choice(card.devices)

    def _any_web(self) -> int:
        return self.chance.randrange(WEB_SHOPS)

    def _dear(self, shop: int) -> bool:
        return self.shop_kind[shop] in ("electronics", "travel")


def history() -> Iterator[Payment]:
    """The payments until today."""
    end = START + timedelta(days=HISTORY_DAYS)
    return (payment for moment, payment in World(SEED).make() if moment < end)


def upcoming() -> Iterator[Payment]:
    """The payments of the next days: traffic for the service, which no model has seen."""
    end = START + timedelta(days=HISTORY_DAYS)
    return (payment for moment, payment in World(SEED).make() if moment >= end)
