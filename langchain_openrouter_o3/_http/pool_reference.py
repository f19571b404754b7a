"""A model's claim on shared connections; importing it does not import httpx."""

from __future__ import annotations

import sys


class PoolReference:
    """Held by each model instance; the pools count who still uses them."""

    def release(self) -> None:
        """Close the blocking pools that no other model holds."""
        # Without this module nothing was ever opened, and importing it takes time.
        manager = sys.modules.get("langchain_openrouter_o3._http.pool_manager")
        if manager is not None:
            manager.POOLS.release(self)

    async def arelease(self) -> None:
        """Close the blocking pools, and the running loop's, that no other model holds."""
        self.release()
        manager = sys.modules.get("langchain_openrouter_o3._http.pool_manager")
        if manager is not None:
            await manager.POOLS.arelease(self)
