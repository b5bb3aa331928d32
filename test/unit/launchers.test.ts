import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../scripts/node-flags.ts";

const VARIABLES = Object.entries(NODE_ENVIRONMENT)
  .map(([name, value]) => `${name}=${value}`)
  .join(" ");
const NODE = `${VARIABLES} node ${NODE_FLAGS.join(" ")}`;

describe("Node is started with the flags that keep steps in time, and its weights in huge pages", () => {
  it.each([
    ["scripts/cli.ts", `#!/usr/bin/env -S ${NODE}\n`],
    ["package.json", `"start": "${NODE} scripts/ready.js serve"`],
    ["Dockerfile", `TRAINYARD_HOST=0.0.0.0 ${VARIABLES}\n`],
    ["Dockerfile", `ENTRYPOINT ["node", "${NODE_FLAGS.join('", "')}", "dist/scripts/cli.js"]`],
  ])("by %s", (path, words) => {
    expect(readFileSync(path, "utf8")).toContain(words);
  });
});
