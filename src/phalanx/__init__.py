"""Phalanx: from raw annotations to a checked segmentation submission.

The rooms, in the order in which an image passes through them:

    core -> mask -> datasets -> data -> models, losses, methods -> train -> predict -> store -> ensemble -> steps
         -> submit -> view;  commands knows them all.

Nothing is re-exported: one name, one address.
"""

from phalanx.core import torchvision_schemas

__version__ = "0.1.0"

torchvision_schemas.install()
