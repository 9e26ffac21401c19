"""Streams a million rows and prints how many there were and by how many MiB the process grew: run by test_streaming."""

from __future__ import annotations

import asyncio
import resource
import sys

import orm

ROWS = 1_000_000
GENERATE = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
    "INSERT INTO reading (id, name, value) SELECT i, 'reading ' || i, i * 2 FROM n",
    "postgresql": "INSERT INTO reading (id, name, value) "
    "SELECT i, 'reading ' || i, i * 2 FROM generate_series(1, :rows) AS i",
}
models = orm.Registry()


class Reading(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40)
    value: orm.Field[int] = orm.Integer()

    class Meta:
        registry = models


def peak() -> float:
    """The largest size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(url: str) -> None:
    """Create the rows in the database, and read them one by one."""
    async with orm.Database(url) as database:
        models.database = database
        await models.create_all()
        await database.execute(GENERATE[database.dialect.name], {"rows": ROWS})
        await Reading.objects.first()
        start, count, total = peak(), 0, 0
        async for reading in Reading.objects.order_by("id"):
            count += 1
            total += reading.value
        print(count, total, peak() - start)
        await models.drop_all()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
