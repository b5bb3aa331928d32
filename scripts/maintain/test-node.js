/**
 * `npm run test:node -- 22 [vitest's arguments]`: the suite on another Node, from
 * npm's own package `node`, in a copy of this working tree, with the newest majors
 * of the clients that want one (openai, ai). Nothing of it is left in this tree.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const CLIENTS = ["openai", "ai", "@ai-sdk/openai-compatible"];

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [version, ...rest] = process.argv.slice(2);
if (version === undefined || !/^\d+(\.\d+)*$/.test(version)) {
  console.error("Usage: npm run test:node -- 22 [arguments of vitest]");
  process.exit(2);
}

const home = mkdtempSync(join(tmpdir(), `trainyard-node${version}-`));
const tree = join(home, "tree");
const run = (command, words, options = {}) =>
  execFileSync(command, words, { stdio: "inherit", ...options });

try {
  // Its binary comes with its install script, and with no other's.
  const engine = join(home, "engine");
  mkdirSync(engine);
  const manifest = { private: true, allowScripts: { node: true } };
  writeFileSync(join(engine, "package.json"), JSON.stringify(manifest));
  const words = ["install", "--no-audit", "--no-fund", "--ignore-scripts=false"];
  run("npm", [...words, `node@${version}`], { cwd: engine });
  const bin = join(engine, "node_modules", "node", "bin");
  const env = {
    ...process.env,
    PATH: [bin, process.env.PATH].join(delimiter),
    TRAINYARD_DATA: resolve(root, process.env.TRAINYARD_DATA ?? "../shared/data"),
  };

  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    maxBuffer: 2 ** 28,
  });
  for (const file of listed.toString().split("\0")) {
    if (file !== "" && existsSync(join(root, file))) cpSync(join(root, file), join(tree, file));
  }
  run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: tree, env });
  const newest = CLIENTS.map((name) => `${name}@latest`);
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", ...newest], { cwd: tree, env });
  run("node", ["--version"], { cwd: tree, env });
  const { status } = spawnSync("node", ["node_modules/vitest/vitest.mjs", "run", ...rest], {
    cwd: tree,
    env,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(home, { recursive: true, force: true });
}
