"""What this process counts for Prometheus, where it happens. lib/gauges.py adds what is looked up when somebody asks.

No label names a clinic or a person: an operator needs to see that something is slow, not whose it is, and each id would be a
series of its own for ever. Who it was stands in the log, under the request's id.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0)  # seconds; the goals are 0.05, 0.25 and 2
SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)  # seconds; a provider has 15 to begin and 60 in all

ProcessCollector(registry=REGISTRY)
sign_in_failures = Counter(
    "chairside_sign_in_failures", "Refused passwords, codes and tries over a limit.", ["kind"], registry=REGISTRY)
token_failures = Counter(
    "chairside_token_failures", "What was no good: token (not ours, or out of date), session (ended), person, refresh, client.",
    ["reason"], registry=REGISTRY)
reruns = Histogram(
    "chairside_rerun_seconds", "From a click to the last element. kind: page, fragment, timer, or answer, which waits for one.",
    ["page", "kind"], buckets=QUICK, registry=REGISTRY)
rerun_failures = Counter(
    "chairside_rerun_failures", "Runs that ended in an unforeseen error, or without the database.", ["page"], registry=REGISTRY)
requests = Histogram(
    "chairside_request_seconds", "HTTP requests, static files left out.", ["route", "method", "status"], buckets=QUICK,
    registry=REGISTRY)
answers = Histogram(
    "chairside_answer_seconds", "From question to the answer's end, by who answered.", ["route"], buckets=SLOW, registry=REGISTRY)
first_tokens = Histogram(
    "chairside_first_token_seconds", "From question to the answer's first piece.", ["route"], buckets=SLOW, registry=REGISTRY)
endings = Counter("chairside_answers", "How answers ended.", ["route", "status"], registry=REGISTRY)
