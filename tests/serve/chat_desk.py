"""A small project that talks: made-up messages of three desks, four passages, and how to go on; run up to a release."""

import csv
import random

from tests.conftest import with_identities

PROJECT = """\
project: desk
sources:
  messages:
    kind: files
    path: data/messages.csv
    contract: {columns: {id: {type: integer, nullable: false}, text: {type: text}, desk: {type: text}}}
  faq:
    kind: files
    path: data/faq.csv
    contract: {columns: {id: {type: text, nullable: false}, q: {type: text}, a: {type: text}, url: {type: text}}}
features:
  spine: features/cases.sql
  entity: message_id
  label: intent
  task: classes
  texts: [message]
  tables: {messages: {sql: features/messages.sql}}
knowledge:
  passages: features/passages.sql
  cite_from: 0.3
chat:
  text: message
  phrases: {greeting: Hello! How can I help?}
  desk: {queue: front, priority: low}
  intents:
    card: {title: a lost card, knowledge: false, desk: {queue: cards, priority: high}, slots: {
      email: {ask: Which e-mail address may we write to?, kind: email}, since: {ask: Since when?, kind: date}}}
    opening: {title: opening hours, knowledge: false, say: We are open from nine to five.}
    refund: {title: a refund}
  urgent: [stolen]
  limits: {turns: 6, characters: 300}
model:
  candidates: [{learner: text}]
  budget: {trials: 1}
  decision: {kind: threshold, value: 0.7}
  tracking: "off"
gates: {slices: null, robustness: null, latency: null, calibration: null}
service: {port: 0}
"""
WORDS = {
    "card": ["card", "lost", "stolen", "block", "wallet"],
    "opening": ["open", "hours", "closed", "today", "sunday"],
    "refund": ["refund", "money", "back", "return", "parcel"],
}
FILLER = ["please", "my", "the", "help", "why", "yesterday", "again", "hello"]
FAQ = [
    (
        "f1",
        "How long does a refund take?",
        "A refund takes 14 days after the parcel came back.",
        "https://shop.example/1",
    ),
    ("f2", "Who pays to return a parcel?", "You pay to return a parcel, unless it was broken.", "javascript:alert(1)"),
    ("f3", "Do you sell vouchers?", "Vouchers are sold in every shop.", ""),
    ("f4", "Where is my order?", "Orders are followed by the number in the mail.", ""),
    ("f5", "Wie lange dauert die Erstattung?", "Die Erstattung dauert 14 Tage.", ""),
]


def write_desk(folder, more=""):
    """The files of the project; ``more`` stands at the end of its section ``chat``."""
    (folder / "features").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "drivetrain.yaml").write_text(PROJECT.replace("model:\n", more + "model:\n", 1))
    sql = {
        "cases": "SELECT id AS message_id, desk AS intent FROM messages",
        "messages": "SELECT id AS message_id, text AS message FROM messages",
        "passages": "SELECT id, q AS question, a AS answer, url, if(id = 'f5', 'de', 'en') AS language FROM faq",
    }
    for name, text in sql.items():
        (folder / "features" / f"{name}.sql").write_text(text)
    chance = random.Random(0)
    kinds = [kind for kind in WORDS for _ in range(60)]
    texts = [" ".join([*chance.sample(FILLER, 3), *chance.sample(WORDS[kind], 2)]) for kind in kinds]
    _write(folder / "data" / "messages.csv", ("id", "text", "desk"), zip(range(len(kinds)), texts, kinds, strict=True))
    _write(folder / "data" / "faq.csv", ("id", "q", "a", "url"), FAQ)
    return folder


def released_desk(folder, more=""):
    """The project, released, approved and deployed."""
    project = with_identities(write_desk(folder, more))
    project.run()
    project.approve()
    project.deploy()
    return project


def _write(path, header, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
