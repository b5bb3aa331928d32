/**
 * Begins `npm start` and `npm test`: installs the dependencies when they are missing
 * or older than the lock file, and with `--build` compiles to dist/ when a source is
 * newer. Any other word is a command of the built bin, which then runs in this very
 * process: `ready.js serve …`. Plain JavaScript, because nothing is installed yet.
 */
import { execSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stageBundled } from "./stage.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 20)) {
  console.error(`Trainyard needs Node 20.20 or later; this is ${process.versions.node}.`);
  process.exit(1);
}

const changed = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
const run = (command) => execSync(command, { cwd: root, stdio: "inherit" });

const installed = changed(join(root, "node_modules", ".package-lock.json"));
if (installed === 0 || installed < changed(join(root, "package-lock.json"))) {
  run("npm ci --no-audit --no-fund");
}
stageBundled(root);

function newestSource(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(path));
    else if (/\.(ts|tsx|css|html)$/.test(entry.name)) newest = Math.max(newest, changed(path));
  }
  return newest;
}

const [word] = process.argv.slice(2);
if (word !== undefined) {
  const sources = ["server", "engine", "device", "models", "scripts"];
  const newest = Math.max(...sources.map((name) => newestSource(join(root, name))));
  const dist = join(root, "dist");
  const built = join(dist, "scripts", "cli.js");
  if (changed(built) < newest) {
    rmSync(dist, { recursive: true, force: true });
    try {
      run("npm run --silent build");
    } catch {
      // Half a build would look like a new one the next time.
      rmSync(dist, { recursive: true, force: true });
      process.exit(1);
    }
  }
}
if (word !== undefined && word !== "--build") await import("../dist/scripts/cli.js");
