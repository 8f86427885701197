"""Reads events with OpenHands V0's own loader and says what it made of them.

Standard input: an event per line, as JSON. Standard output: a line for each, an object with
`class`, `message` and `event` (as V0 writes it back), or with `error`.
"""

import json
import os
import sys
from unittest.mock import MagicMock

# Nothing is fetched; nothing but answers goes to standard output.
os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'
answers, sys.stdout = sys.stdout, sys.stderr
# Clients of object stores: imported beside the loader, never called by it.
for name in ('openhands.storage.google_cloud', 'openhands.storage.s3'):
    sys.modules[name] = MagicMock()

from openhands.events.serialization.event import event_from_dict, event_to_dict  # noqa: E402
from openhands.io import dumps  # noqa: E402

for line in sys.stdin:
    try:
        event = event_from_dict(json.loads(line))
        answer = dumps({
            'class': type(event).__name__,
            'message': event.message,
            'event': event_to_dict(event),
        })
    except Exception as error:
        answer = json.dumps({'error': f'{type(error).__name__}: {error}'})
    answers.write(answer + '\n')
