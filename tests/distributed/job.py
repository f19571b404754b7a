"""A job of Ray Data: `python -m tests.distributed.job BASE_URL FOLDER ROWS CONCURRENCY`.

Tests kill it and its workers. Below FOLDER are Ray's own files, the journal, the results, and a
file for each worker, with its process id as its name.
"""

from __future__ import annotations

import os
import shutil
import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

from langchain_core.runnables import Runnable

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.ray import Invoke
from tests.helpers.bulk import Person

ACTORS = 2
FOLDER = "DISTRIBUTED_FOLDER"


def make_chain() -> Runnable[Any, Any]:
    """Make a chain in a worker, with the key of its environment."""
    (Path(os.environ[FOLDER]) / "workers" / str(os.getpid())).touch()
    return itemgetter("text") | ChatOpenRouterO3(max_tokens=1_000).with_structured_output(Person)


def invoke(folder: Path, **options: Any) -> Invoke:
    """Describe what each worker does."""
    journal = (folder / "journal").as_uri()
    return Invoke(make_chain, key="id", journal=journal, schema=Person, **options)


def main(base_url: str, folder: str, count: str, concurrency: str) -> None:
    """Run."""
    os.environ |= {"OPENROUTER_API_BASE": base_url, FOLDER: folder}
    shutil.rmtree(Path(folder) / "people", ignore_errors=True)  # of a program that was killed
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(num_cpus=2, include_dashboard=False, _temp_dir=f"{folder}/ray")
    rows = ray.data.range(int(count), override_num_blocks=20).map(
        lambda row: {"id": row["id"], "text": f"Tell row-{row['id']}"}
    )
    work = invoke(Path(folder), actors=ACTORS, max_concurrency=int(concurrency))
    people = rows.map_batches(**work.for_ray(batch_size=250))
    people.write_parquet(f"{folder}/people")
    (Path(folder) / "statistics").write_text(f"{people.stats()}\n{people}\n{people.schema()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
