"""Names and shapes of every flag of `vllm serve` 0.32, for test/unit/server/vllm-flags.json.

    VENV/bin/python scripts/maintain/goldens/vllm_flags.py > test/unit/server/vllm-flags.json
"""

import json

from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser


def shape(action):
    if action.nargs == 0:
        return "switch"
    return "values" if action.nargs == "+" else "value"


def main():
    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    rows = []
    for action in parser._actions:
        names = action.option_strings
        long = [name[2:] for name in names if name.startswith("--")]
        if not long or "help" in long:
            continue
        main = [name for name in long if not name.startswith("no-")]
        rows.append(
            {
                "flag": main[0],
                **({"also": main[1:]} if len(main) > 1 else {}),
                "takes": shape(action),
                **({"negatable": True} if any(n.startswith("no-") for n in long) else {}),
                **({"short": s} if (s := [n for n in names if not n.startswith("--")]) else {}),
            }
        )
    print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")


main()
