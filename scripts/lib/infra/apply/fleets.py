"""How each fleet is run here: what starts its functions, and when it has done enough."""

import json
import os
import time
from contextlib import contextmanager
from typing import Callable, Iterator

from function import Function
from installation import Installation, tick, upstream

# A follower asks for no page when less than 150 seconds are left to it, so this lets it follow for a few seconds.
FOLLOW = 154

# Less than a window: a rank fetcher with more time waits for the next window instead of parking players.
HURRY = 10

# A fleet that has not done its work after this time never will.
TIMEOUT = 60


@contextmanager
def against(installation: Installation, fleet: str, *arguments: str) -> Iterator[dict[str, str]]:
    """Runs a stand-in of the fleet's upstream."""
    process, settings = upstream(installation.program.resolve(), fleet, *arguments)
    try:
        yield settings
    finally:
        process.kill()
        process.wait()


def wait(done: Callable[[], bool], what: str) -> None:
    """Repeats until something is done."""
    end = time.monotonic() + TIMEOUT
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"after {TIMEOUT} s, {what}")


def dead_letter(installation: Installation, worker: str, function: Function, seconds: int | None) -> None:
    """Sends a worker what it cannot read, until it is in the dead-letter queue."""
    waiting = installation.queue(worker)
    client = installation.client("sqs")
    client.send_message(QueueUrl=waiting.url, MessageBody="broken")
    dead = client.get_queue_url(QueueName=f"{waiting.url.rpartition('/')[2]}-dead-letters")["QueueUrl"]

    def is_there() -> bool:
        waiting.feed(function, seconds)
        counted = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])
        return counted["Attributes"]["ApproximateNumberOfMessages"] != "0"

    wait(is_there, f"the broken message is not in {dead}")


def warcraftlogs(installation: Installation) -> None:
    """Takes players from discovery to databases, through a window without points, and one of them ahead of the rest."""
    limits = ["--players", "120", "--limit", "120,80", "--window", "12", "--latency", "5"]
    with against(installation, "warcraftlogs", *limits) as found:
        database = {"MONGODB_URI": os.environ["MONGODB_URI"], "MONGODB_DATABASE": f"roles-{time.time_ns()}"}
        keys = {"WCL_KEYS": found.pop("WCL_KEYS")}
        settings = found | {"MONGODB_DATABASE": database["MONGODB_DATABASE"]} | {
            "WCL_WINDOW_SECONDS": "12", "WCL_CALL_TIMEOUT_SECONDS": "1", "WCL_PAGE_INTERVAL_MS": "0",
            "WCL_VISIBILITY_SECONDS": "30", "CONCURRENCY_LIMIT": "4",
        }  # fmt: skip
        WarcraftLogs(installation, settings, database | keys).run()


class WarcraftLogs:
    """A run of the fleet."""

    def __init__(self, installation: Installation, settings: dict[str, str], secrets: dict[str, str]):
        self.installation, self.settings, self.secrets = installation, settings, secrets
        names = ["discover", "aggregator", "rank-fetcher", "refresher", "reviver", "db-generator"]
        for name in names:
            worker = f"warcraftlogs/{name}"
            installation.put_secrets(worker, secrets | {"GIT_TOKEN": "token"})
        # No databases are pushed: there is no git server.
        without = ("LUA_REPOSITORY",)
        self.functions = {name: installation.start(f"warcraftlogs/{name}", settings, without) for name in names}

    def tick(self, name: str) -> dict:
        """Starts a worker as its schedule does."""
        return self.functions[name].invoke(tick(f"warcraftlogs/{name}"))

    def operator(self, *arguments: str) -> str:
        """Runs a command of an operator."""
        return self.installation.command("warcraftlogs/reviver", self.settings | self.secrets, *arguments)

    def ids(self, collection: str) -> set[int]:
        """Returns the ids of the players in a collection."""
        exported = self.operator("data", "export", "wcl", collection, "-")
        return {json.loads(line)["_id"] for line in exported.splitlines()}

    def run(self) -> None:
        """Runs from discovery to databases."""
        self.operator("wcl", "rules", "add", "--raid", "26", "--difficulty", "3,4", "--end-page", "60")
        while self.tick("discover").get("rule"):
            pass
        discovered = self.ids("discovers")
        if len(discovered) < 20:
            raise RuntimeError(f"only {len(discovered)} players were discovered, so the run would show nothing")
        self.tick("aggregator")
        self.tick("reviver")
        self.fetch(discovered)
        self.refresh(next(iter(discovered)))
        self.refuse()
        # With nothing left to fetch, it wakes the generator.
        self.tick("aggregator")
        self.tick("db-generator")

    def fetch(self, discovered: set[int]) -> None:
        """Feeds the rank fetcher until each player has ranks, or is known to have none."""
        waiting = self.installation.queue("warcraftlogs/rank-fetcher")

        def all_done() -> bool:
            if waiting.is_enabled() and waiting.feed(self.functions["rank-fetcher"], HURRY):
                return False
            time.sleep(0.5)
            self.tick("reviver")
            return discovered <= self.ids("players") | self.ids("dropped")

        wait(all_done, "not all players have ranks")

    def refresh(self, player: int) -> None:
        """Puts a player ahead of the rest."""
        self.operator("wcl", "refresh", "--id", str(player), "--raid", "26", "--difficulty", "3")
        waiting = self.installation.queue("warcraftlogs/refresher")
        wait(lambda: waiting.feed(self.functions["refresher"]) > 0, "no refresh was received")

    def refuse(self) -> None:
        """Sends what no worker can read, which must become a dead letter."""
        for name in ["rank-fetcher", "refresher"]:
            dead_letter(self.installation, f"warcraftlogs/{name}", self.functions[name], None)


def poe_stashes(installation: Installation) -> None:
    """Follows the river for a few invocations."""
    with against(installation, "poe-stashes", "--rate", "20:1:60", "--page", "10", "--latency", "5") as found:
        secret = {"POE_CLIENT_SECRET": found.pop("POE_CLIENT_SECRET")}
        settings = found | {"POE_START": "beginning"}
        for name in ["follower", "watcher"]:
            installation.put_secrets(f"poe-stashes/{name}", secret)
        follower = installation.start("poe-stashes/follower", settings)
        watcher = installation.start("poe-stashes/watcher", settings)
        watcher.invoke(tick("poe-stashes/watcher"))
        waiting = installation.queue("poe-stashes/follower")
        for _ in range(3):
            wait(lambda: waiting.feed(follower, seconds=FOLLOW) > 0, "the chain was not passed on")
        watcher.invoke(tick("poe-stashes/watcher"))
        dead_letter(installation, "poe-stashes/follower", follower, FOLLOW)


# The variables that a fleet needs, and how it is run.
FLEETS: dict[str, tuple[list[str], Callable[[Installation], None]]] = {
    "poe-stashes": ([], poe_stashes),
    "warcraftlogs": (["MONGODB_URI"], warcraftlogs),
}
