import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../scripts/node-flags.ts";

const VARIABLES = Object.entries(NODE_ENVIRONMENT)
  .map(([name, value]) => `${name}=${value}`)
  .join(" ");
const NODE = `${VARIABLES} node ${NODE_FLAGS.join(" ")}`;
/** What fits into a script's first line: kernels before 5.1 read 127 bytes of it. */
const SHORT = NODE.replace(/:\S+/, "").replace(" --use-largepages=silent", "");
const FIRST_LINE = `#!/usr/bin/env -S ${SHORT}`;

describe("Node is started with the flags that keep steps in time, and its weights in huge pages", () => {
  it.each([
    ["scripts/cli.ts", `${FIRST_LINE}\n`],
    ["package.json", `"start": "${NODE} scripts/ready.js serve"`],
    ["Dockerfile", `TRAINYARD_HOST=0.0.0.0 ${VARIABLES}\n`],
    ["Dockerfile", `ENTRYPOINT ["node", "${NODE_FLAGS.join('", "')}", "dist/scripts/cli.js"]`],
  ])("by %s", (path, words) => {
    expect(readFileSync(path, "utf8")).toContain(words);
  });

  it("by a first line that old kernels read whole", () => {
    expect(FIRST_LINE.length).toBeLessThanOrEqual(127);
  });
});
