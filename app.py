"""The CDK app: `.venv/bin/python app.py` synthesizes it, asking neither AWS, nor the network, nor git.

Configuration is `tidegate` in cdk.json's context. TIDEGATE_CONFIG may name a JSON file whose keys replace
those, and CDK_OUTDIR another folder than cdk.out: the local cloud synthesizes the same app that way.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
# The CDK runs on Node, which is installed beside the interpreter: it must be found before the import.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def main() -> None:
    """Draw the pipeline's stack and a stack for each stage."""
    from aws_cdk import App

    from infra import configuration
    from infra.stacks import draw

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    outdir = os.environ.get(configuration.OUTDIR, str(ROOT / "cdk.out"))
    app = App(context=context, outdir=outdir, analytics_reporting=False)
    pipeline = configuration.read(app.node.try_get_context(configuration.KEY), os.environ)
    draw(app, ROOT, pipeline)
    app.synth()


if __name__ == "__main__":
    from infra.configuration import InvalidPipeline
    from infra.layers import LayerMismatch

    try:
        main()
    except (InvalidPipeline, LayerMismatch) as error:
        sys.exit(f"tidegate: {error}")
