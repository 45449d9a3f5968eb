"""An emulator of AWS on a free port of loopback: moto's server, with a clock for each of its clients.

usage: emulator.py FILE

Writes the emulator's URL to FILE once it answers there. A queue's time is the date that a request is signed with, so a
test moves it by its client's clock, and waits for nothing. Its answers still carry the machine's date, for which an SDK
may correct its clock: a test turns that off.
"""

import datetime
import itertools
import logging
import os
import sys
import threading

import flask
import moto.sqs.models as sqs
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

real_time = sqs.unix_time_millis
real_receive = sqs.SQSBackend.receive_message
# Dates are whole seconds. moto compares times strictly, so no two looks at the clock may show the same.
steps = itertools.count()
receiving = threading.Lock()


def time_of_request():
    date = flask.request.headers.get("X-Amz-Date") if flask.has_request_context() else None
    if date is None:
        return real_time()
    signed = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    return signed.timestamp() * 1000 + next(steps) / 1000


def receive(self, queue_name, count, wait_seconds_timeout, *rest, **named):
    # Time stands still while a receive waits, so nothing comes that is not there. Two receives at once may take the
    # same message.
    with receiving:
        return real_receive(self, queue_name, count, 0, *rest, **named)


def main(file):
    sqs.unix_time_millis = time_of_request
    sqs.SQSBackend.receive_message = receive
    # moto asks the machine's clock how old a message is.
    sqs.SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True
    # An enabled mapping would take messages as they are sent, for functions that moto does not run. Whoever polls for
    # a mapping asks for its state.
    sqs.Queue.lambda_event_source_mappings = property(lambda _: {}, lambda *_: None)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    # Moved into place as a whole, so that nobody reads half a URL.
    with open(file + ".new", "w", encoding="ascii") as new:
        new.write(f"http://127.0.0.1:{server.port}\n")
    os.replace(file + ".new", file)
    server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: emulator.py FILE")
    main(sys.argv[1])
