"""Explicit spaces: vectors whose entries have names, and scores that are sums of their shares."""

from recsys.explicit.documents import Documents, Relevance
from recsys.explicit.explaining import WhatIf
from recsys.explicit.fitting import fit
from recsys.explicit.inventory import Inventory
from recsys.explicit.linking import Linker
from recsys.explicit.settings import SpaceSettings
from recsys.explicit.space import Space

__all__ = [
    "Documents",
    "Inventory",
    "Linker",
    "Relevance",
    "Space",
    "SpaceSettings",
    "WhatIf",
    "fit",
]
