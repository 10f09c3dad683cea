"""One node of the spike: our journal under DBOS Transact on PostgreSQL, one workflow a wake.

Told what to do by JSON lines on its input, tells what happened by JSON lines on its output. No DBOS
step: what is recorded stands in our tables, DBOS decides where and when a workflow runs.
"""

import asyncio
import importlib
import json
import resource
import sys
import time
from functools import partial
from typing import Any

import psycopg

from clawdbot.config.clock import SystemClock
from clawdbot.domain.messages import Source
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Store
from clawdbot.durable import journal
from clawdbot.durable.embedded import AlwaysHeld
from clawdbot.durable.journal import Journal, Parking, Step
from clawdbot.store import notes, postgres
from clawdbot.store.notes import Note
from clawdbot.store.turns import TurnState

NAME, DSN, URL = sys.argv[1:4]
QUEUE = "turns"

dbos = importlib.import_module("dbos")
clock = SystemClock()
life: dict[str, Any] = {}


def tell(event: str, **about: object) -> None:
    about |= {"event": event, "node": NAME, "at": time.monotonic()}
    sys.stdout.write(json.dumps(about) + "\n")
    sys.stdout.flush()


def mark(tx: Tx, *, turn: str, step: int) -> bytes:
    notes.add(tx, turn, Note(clock.ulid(), f"{step}", "own", 0, clock.now()))
    return b"done"


@dbos.DBOS.workflow()
async def run(turn: str, plan: dict[str, Any]) -> None:
    """Run a turn if it is its turn: claim, steps, and the end, all in our journal."""
    mine: Journal = life["journal"]
    claimed = await mine.claim(turn, alone=False)
    if claimed is None:
        tell("not its turn", turn=turn)
        return
    tell("claimed", turn=turn)
    for number in range(plan.get("steps", 3)):
        step = Step(key=f"step/{number}", source=Source.TOOL)
        await mine.transact(claimed, step, partial(mark, turn=turn, step=number))
        tell("step", turn=turn, step=number)
        if plan.get("stall") == [NAME, number]:
            await asyncio.Event().wait()
    if plan.get("park") and claimed.version == 0:
        step = Step(key="park", source=Source.FIXED)
        parking = Parking(wait=f"{turn}/wait", due_at=None, version=1, body=b"")
        following = await mine.park(claimed, step, parking)
        tell("parked", turn=turn)
    else:
        db = life["db"]
        following = await db.write(lambda tx: mine.finish(tx, claimed, TurnState.DONE))
        tell("finished", turn=turn)
    if following is not None:
        await wake(following, plan)


async def wake(turn: str, plan: dict[str, Any]) -> None:
    # Not the turn's id: who asks again for a workflow that has ended gets its old result, and a
    # turn may be woken in vain, parked and given back.
    with dbos.SetWorkflowID(f"{turn}.{clock.ulid()}"):
        if plan.get("queue"):
            await dbos.DBOS.enqueue_workflow_async(QUEUE, run, turn, plan)
        else:
            await dbos.DBOS.start_workflow_async(run, turn, plan)


async def take_over(dead: str) -> None:
    """Wait until a node's connection is gone, then give its turns back and resume its workflows."""
    with psycopg.connect(DSN, autocommit=True) as watch:
        while not watch.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [dead]).fetchall()[0][
            0
        ]:
            await asyncio.sleep(0.05)
    tell("seen dead", dead=dead)
    given_back = Journal(life["db"], clock, AlwaysHeld(), node=dead, epoch="e", tries=3, version=1)
    await given_back.recover()
    pending = await dbos.DBOS.list_workflows_async(executor_id=dead, status="PENDING")
    ids = [workflow.workflow_id for workflow in pending]
    await dbos.DBOS.resume_workflows_async(ids, queue_name=QUEUE)
    tell("resumed", workflows=len(ids))


async def obey(command: dict[str, Any]) -> None:
    match command.pop("do"):
        case "wake":
            await wake(command["turn"], command.get("plan", {}))
        case "signal":
            turn = await life["db"].write(
                lambda tx: journal.signal(tx, f"{command['turn']}/wait", b"yes")
            )
            if turn is not None:
                await wake(turn, {"steps": 0})
        case "take over":
            await take_over(command["dead"])
        case "usage":
            used = resource.getrusage(resource.RUSAGE_SELF)
            tell("usage", cpu=used.ru_utime + used.ru_stime, memory=used.ru_maxrss)


async def main() -> None:
    settings = {"name": "spike", "system_database_url": URL, "executor_id": NAME}
    settings |= {"application_version": "1", "log_level": "ERROR"}
    async with postgres.opened(DSN, Store()) as db:
        life["db"] = db
        life["journal"] = Journal(db, clock, AlwaysHeld(), node=NAME, epoch="e", tries=3, version=1)
        with psycopg.connect(DSN, autocommit=True) as alive:
            alive.execute("SELECT pg_advisory_lock(hashtext(%s))", [NAME])
            dbos.DBOS(config=settings)
            dbos.DBOS.launch()
            await asyncio.to_thread(dbos.DBOS.register_queue, QUEUE, polling_interval_sec=0.1)
            tell("ready")
            while line := await asyncio.to_thread(sys.stdin.readline):
                await obey(json.loads(line))
            dbos.DBOS.destroy()


asyncio.run(main())
