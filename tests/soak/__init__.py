"""A soak test: many callers at once, random faults, and an account of every request.

    python -m tests.soak --seconds 600 --threads 16 --tasks 200 --fault-rate 0.3 --seed 7

The emulator runs in a process of its own, so that files, threads and memory of this process are
the client's alone. What a request meets is a pure function of the seed and the request's number,
which its prompt carries: both processes know it, and nothing has to be told in between. At the
end the server's count of each request's attempts is compared with what the documentation
promises for those faults.
"""
