"""The Python originals, driven by lines of JSON: a request each on stdin, an answer each on stdout.

    {"library": "aiocache", "server": "redis", "port": 6379, "serializer": "json", "namespace": "main",
     "verb": "set", "arguments": ["user:42", {"a": 1}, 60]}

is answered with {"answer": …}, or {"error": "…"}. JSON has no bytes: they travel as {"bytes": [0, 255]}.
"""

import asyncio
import functools
import json
import sys
from collections import namedtuple
from datetime import timedelta

import aiocache
import aiocache.serializers
import cachetory.backends.sync
import cachetory.caches.sync
import cachetory.serializers
import pycached
import pycached.serializers

LOOP = asyncio.new_event_loop()
HOST = "127.0.0.1"

Squirrel = namedtuple("Squirrel", "name")


class Aiocache:
    SERIALIZERS = {
        "text": aiocache.serializers.StringSerializer,
        "json": aiocache.serializers.JsonSerializer,
        "pickle": aiocache.serializers.PickleSerializer,
        # With the default encoding it cannot read what it wrote to a server.
        "msgpack": functools.partial(aiocache.serializers.MsgPackSerializer, encoding=None),
    }

    def __init__(self, server, port, serializer, namespace):
        kind = {"redis": aiocache.RedisCache, "memcached": aiocache.MemcachedCache}[server]
        self.serializer = serializer
        self.cache = kind(
            endpoint=HOST, port=port, namespace=namespace or None, serializer=self.SERIALIZERS[serializer]()
        )

    def set(self, key, value, ttl):
        return self.wait(self.cache.set(key, value, ttl=ttl))

    def add(self, key, value):
        try:
            return self.wait(self.cache.add(key, value))
        except ValueError:
            return False

    def get(self, key):
        return self.readable(self.wait(self.cache.get(key)))

    def set_many(self, pairs):
        return self.wait(self.cache.multi_set(pairs))

    def get_many(self, keys):
        return [self.readable(value) for value in self.wait(self.cache.multi_get(keys))]

    def exists(self, key):
        return self.wait(self.cache.exists(key))

    def delete(self, key):
        return self.wait(self.cache.delete(key)) == 1

    def increment(self, key, by):
        return self.wait(self.cache.increment(key, by))

    def ttl(self, key):
        return self.wait(self.cache.raw("ttl", self.cache.build_key(key)))

    def readable(self, value):
        # With encoding=None, this version gives texts back as bytes.
        return as_texts(value) if self.serializer == "msgpack" else value

    @staticmethod
    def wait(command):
        return LOOP.run_until_complete(command)


class Pycached:
    SERIALIZERS = {
        "text": pycached.serializers.StringSerializer,
        "json": pycached.serializers.JsonSerializer,
    }

    def __init__(self, server, port, serializer, namespace):
        self.cache = pycached.RedisCache(
            endpoint=HOST, port=port, namespace=namespace or None, serializer=self.SERIALIZERS[serializer]()
        )

    def set(self, key, value, ttl):
        return self.cache.set(key, value, ttl=ttl)

    def get(self, key):
        return self.cache.get(key)

    def set_many(self, pairs):
        return self.cache.multi_set(pairs)

    def get_many(self, keys):
        return self.cache.multi_get(keys)

    def exists(self, key):
        return bool(self.cache.exists(key))

    def delete(self, key):
        return self.cache.delete(key) == 1

    def increment(self, key, by):
        return self.cache.increment(key, by)

    def ttl(self, key):
        return self.cache.raw("ttl", self.cache._build_key(key))


class Cachetory:
    def __init__(self, server, port, serializer, namespace):
        self.url = f"{server}://{HOST}:{port}"
        self.prefix = namespace
        self.backend = cachetory.backends.sync.from_url(self.url)
        self.cache = cachetory.caches.sync.Cache(
            serializer=cachetory.serializers.from_url(f"{serializer}://"), backend=self.backend, prefix=namespace
        )

    def set(self, key, value, ttl):
        self.cache.set(key, value, timedelta(seconds=ttl) if ttl else None)

    def add(self, key, value):
        before = self.cache.get(key, self)
        self.cache.set(key, value, if_not_exists=True)
        return before is self

    def get(self, key):
        return self.cache[key]

    def set_many(self, pairs):
        self.cache.set_many(pairs)

    def get_many(self, keys):
        # Its own `get_many` forgets the prefix.
        return [self.cache.get(key) for key in keys]

    def exists(self, key):
        return self.cache.get(key, self) is not self

    def delete(self, key):
        return self.cache.delete(key)

    def ttl(self, key):
        return self.backend._client.ttl(self.prefix + key)


LIBRARIES = {"aiocache": Aiocache, "pycached": Pycached, "cachetory": Cachetory}


def as_texts(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [as_texts(item) for item in value]
    if isinstance(value, dict):
        return {as_texts(key): as_texts(item) for key, item in value.items()}
    return value


def from_wire(value):
    if isinstance(value, list):
        return [from_wire(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"bytes"}:
            return bytes(value["bytes"])
        if value.keys() == {"namedtuple"}:
            return Squirrel(value["namedtuple"])
        return {key: from_wire(item) for key, item in value.items()}
    return value


def to_wire(value):
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    return value


@functools.cache
def cache(library, server, port, serializer, namespace):
    return LIBRARIES[library](server, port, serializer, namespace)


def answer(request):
    verb, arguments = request.pop("verb"), request.pop("arguments")
    try:
        return {"answer": to_wire(getattr(cache(**request), verb)(*from_wire(arguments)))}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
