"""Looks at histories as OpenHands V0's own controller does.

Standard input: a question per line, as JSON; standard output: an answer for each.

`{"stuck": [events], "headless": bool, "start": n}`: whether V0 calls the agent stuck, as
`{"type", "repeats", "starts_alike"}`, or `null`. `starts_alike` says whether the event at place `n`
of the events equals the one at which V0 begins the loop.

`{"replay": [events]}`: the actions that V0 would do again, as `[class, text, waits]`.

`{"trajectory": [events], "screenshots": bool}`: the events as V0 exports them.
"""

import json
import logging
import os
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

# Nothing is fetched; nothing but answers goes to standard output.
os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'
answers, sys.stdout = sys.stdout, sys.stderr
logging.disable()
# Clients of object stores: imported beside the loader, never called by it.
for name in ('openhands.storage.google_cloud', 'openhands.storage.s3'):
    sys.modules[name] = MagicMock()

import openhands  # noqa: E402

# The package of the controller imports all of the agent; the two modules need nothing of it.
controller = types.ModuleType('openhands.controller')
controller.__path__ = [str(Path(openhands.__path__[0]) / 'controller')]
sys.modules['openhands.controller'] = controller
for name in ('openhands.controller.state', 'openhands.controller.state.state'):
    sys.modules[name] = MagicMock()

from openhands.controller.replay import ReplayManager  # noqa: E402
from openhands.controller.stuck import StuckDetector  # noqa: E402
from openhands.events.event import EventSource  # noqa: E402
from openhands.events.serialization.event import (  # noqa: E402
    event_from_dict,
    event_to_trajectory,
)
from openhands.io import dumps  # noqa: E402

NOT_IN_HISTORY = (
    'NullAction',
    'NullObservation',
    'ChangeAgentStateAction',
    'AgentStateChangedObservation',
)


def stuck(question):
    events = [event_from_dict(event) for event in question['stuck']]
    history = [
        event
        for event in events
        if type(event).__name__ not in NOT_IN_HISTORY and not getattr(event, 'hidden', False)
    ]
    detector = StuckDetector(types.SimpleNamespace(history=history))
    if not detector.is_stuck(headless_mode=question['headless']):
        return None
    found = detector.stuck_analysis

    def is_from_user(event):
        return type(event).__name__ == 'MessageAction' and event.source == EventSource.USER

    messages = [at for at, event in enumerate(history) if is_from_user(event)]
    cut = 0 if question['headless'] or not messages else messages[-1] + 1
    looked_at = [event for event in history[cut:] if not is_from_user(event)]
    start = looked_at[found.loop_start_idx - cut]
    ours = question['start']
    return {
        'type': found.loop_type,
        'repeats': found.loop_repeat_times,
        'starts_alike': ours is not None and events[ours] == start,
    }


def replay(question):
    manager = ReplayManager(ReplayManager.get_replay_events(question['replay']))
    steps = []
    while manager.should_replay():
        action = manager.step()
        waits = getattr(action, 'wait_for_response', False)
        steps.append([type(action).__name__, action.message, waits])
    return steps


def trajectory(question):
    events = [event_from_dict(event) for event in question['trajectory']]
    return [event_to_trajectory(event, question['screenshots']) for event in events]


for line in sys.stdin:
    question = json.loads(line)
    try:
        for name, answer in (('stuck', stuck), ('replay', replay), ('trajectory', trajectory)):
            if name in question:
                answers.write(dumps(answer(question)) + '\n')
    except Exception as error:
        answers.write(json.dumps({'error': f'{type(error).__name__}: {error}'}) + '\n')
