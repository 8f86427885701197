"""Continues a conversation with OpenHands V0's own event stream and reads it with its event store.

Arguments: the folder of the file store, the conversation, its user or `-`, and how many events to
add first. Writes an object with `added` (the ids of the new events), `next` (the id of the next
one), `events` and `reverse` (as V0 writes them back, in either order) and `from_7_to_60`.
"""

import json
import os
import sys
from unittest.mock import MagicMock

# Nothing is fetched; nothing but the answer goes to standard output.
os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'
answers, sys.stdout = sys.stdout, sys.stderr
# Clients of object stores: imported beside the local one, never called.
for name in ('openhands.storage.google_cloud', 'openhands.storage.s3'):
    sys.modules[name] = MagicMock()

from openhands.events.action import CmdRunAction, MessageAction  # noqa: E402
from openhands.events.event import EventSource  # noqa: E402
from openhands.events.event_store import EventStore  # noqa: E402
from openhands.events.observation import CmdOutputObservation  # noqa: E402
from openhands.events.serialization.event import event_to_dict  # noqa: E402
from openhands.events.stream import EventStream  # noqa: E402
from openhands.storage import get_file_store  # noqa: E402

TEXT = 'line one\nline "two"\t\\ caf\u00e9 \U0001f642 \u2028'

root, session, user, count = sys.argv[1:]
user = None if user == '-' else user
files = get_file_store('local', root)


def append(count):
    stream = EventStream(session, files, user)
    ids = []
    for number in range(count):
        match number % 3:
            case 0:
                event, source = MessageAction(f'{number} {TEXT}'), EventSource.USER
            case 1:
                event, source = CmdRunAction(f'echo {number}'), EventSource.AGENT
            case _:
                event = CmdOutputObservation(f'{number}\n', f'echo {number}', exit_code=0)
                event._cause = ids[-1]
                source = EventSource.AGENT
        stream.add_event(event, source)
        ids.append(event.id)
    stream.close()
    return ids


added = append(int(count))
store = EventStore(session, files, user)
json.dump({
    'added': added,
    'next': store.cur_id,
    'events': [event_to_dict(event) for event in store.search_events()],
    'reverse': [event_to_dict(event) for event in store.search_events(reverse=True)],
    'from_7_to_60': [event.id for event in store.search_events(start_id=7, end_id=60)],
}, answers)
answers.write('\n')
