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
import time

import flask
import moto.sqs.models as sqs
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

real_time = sqs.unix_time_millis
real_receive = sqs.SQSBackend.receive_message
# Dates have a resolution of one second, but moto compares times strictly, so no two reads of the clock may be equal.
steps = itertools.count()
# In seconds: how far a client's date may differ from the machine's, and the interval between two looks of a long poll.
A_MINUTE = 60
LOOK_AGAIN = 0.05
receiving = threading.Lock()


def signed():
    date = flask.request.headers.get("X-Amz-Date") if flask.has_request_context() else None
    if date is None:
        return None
    return datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def time_of_request():
    date = signed()
    if date is None:
        return real_time()
    return (date + flask.g.get("waited", 0)) * 1000 + next(steps) / 1000


def receive(self, queue_name, count, wait_seconds_timeout, *rest, **named):
    # A test's time stands still while a receive waits, so no new message can become visible. A real client's time goes
    # on.
    date = signed()
    lives_now = date is not None and abs(date - time.time()) < A_MINUTE
    wait = (wait_seconds_timeout or 0) if lives_now else 0
    begun = time.monotonic()
    while True:
        # Otherwise two receives at once could take the same message.
        with receiving:
            messages = real_receive(self, queue_name, count, 0, *rest, **named)
        flask.g.waited = time.monotonic() - begun
        if messages or flask.g.waited >= wait:
            return messages
        time.sleep(LOOK_AGAIN)


def main(file):
    sqs.unix_time_millis = time_of_request
    sqs.SQSBackend.receive_message = receive
    # moto compares a message's age with the machine's clock.
    sqs.SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True
    # An enabled mapping would receive messages as they are sent, for functions that moto does not run. The test that
    # polls on behalf of a mapping reads the mapping's state.
    sqs.Queue.lambda_event_source_mappings = property(lambda _: {}, lambda *_: None)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    # Renamed into place, so that a reader never sees half a URL.
    with open(file + ".new", "w", encoding="ascii") as new:
        new.write(f"http://127.0.0.1:{server.port}\n")
    os.replace(file + ".new", file)
    server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: emulator.py FILE")
    main(sys.argv[1])
