import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NODE_FLAGS } from "../../scripts/node-flags.ts";

describe("Node is started with the flags that keep steps in time", () => {
  it.each([
    ["scripts/cli.ts", `#!/usr/bin/env -S node ${NODE_FLAGS.join(" ")}\n`],
    ["package.json", `"start": "node ${NODE_FLAGS.join(" ")} scripts/ready.js serve"`],
    ["Dockerfile", `ENTRYPOINT ["node", "${NODE_FLAGS.join('", "')}", "dist/scripts/cli.js"]`],
  ])("by %s", (path, words) => {
    expect(readFileSync(path, "utf8")).toContain(words);
  });
});
