"""redis-py, asked for one value again and again, 64 times before the first reply.

`redis_py_peer.py ADDRESS TIMES` prints the processor seconds that it used.
"""

import sys
import time

import redis

KEY = "key:000000000001"
VALUE = b"a value of 32 bytes, all of them"

host, port = sys.argv[1].rsplit(":", 1)
times = int(sys.argv[2])
client = redis.Redis(host=host, port=int(port))
client.set(KEY, VALUE)
start = time.process_time()
left = times
while left > 0:
    now = min(left, 64)
    left -= now
    pipe = client.pipeline(transaction=False)
    for _ in range(now):
        pipe.get(KEY)
    for value in pipe.execute():
        assert value == VALUE
print(time.process_time() - start)
