/** `models` and `pull` over the hub's cache, run as they are typed. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as models from "../../../scripts/commands/models.ts";
import * as pull from "../../../scripts/commands/pull.ts";
import { runCommand } from "../../support/command.ts";
import { goldens } from "../../support/golden.ts";
import { COMMIT, LoopbackHub } from "../../support/hub.ts";

const llama = goldens().find(({ name }) => name === "llama")?.folder ?? "";
const FILES = Object.fromEntries(
  ["config.json", "tokenizer.json", "model.safetensors"].map((name) => [
    name,
    readFileSync(join(llama, name)),
  ]),
);
const BYTES = Object.values(FILES).reduce((sum, { length }) => sum + length, 0);

let cache: string;
let hub: LoopbackHub;
beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), "trainyard-cached-"));
  hub = new LoopbackHub(FILES);
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_ENDPOINT", await hub.open());
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(cache, { recursive: true });
});

describe("trainyard pull", () => {
  it("fetches into the cache, tells where, and `models` then lists it", async () => {
    const empty = await runCommand(models, "--cached");
    expect(empty.text).toBe(`The hub's cache ${cache} has no model.\n`);
    const { code, text } = await runCommand(pull, "some/model");
    expect(code).toBe(0);
    expect(existsSync(join(text.trim(), "config.json"))).toBe(true);
    expect(text).toContain(COMMIT);
    expect(hub.sent).toBe(BYTES);
    const quiet = await runCommand(pull, "some/model@v1 --quiet");
    expect(quiet.text).toBe(text); // the same commit, which is there
    expect(hub.sent).toBe(BYTES);

    const listed = JSON.parse((await runCommand(models, "--cached --json")).text);
    expect(listed).toMatchObject([{ id: "some/model", bytes: BYTES, unfinishedBytes: 0 }]);
    const { text: table } = await runCommand(models, "SOME/");
    expect(table).toMatch(/^ *there +cut +of the hub's cache$/m);
    expect(table).toMatch(new RegExp(`^ *${(BYTES / 1e9).toFixed(2)} GB +some/model +.*main`, "m"));
    // Parts of ids choose among both.
    expect((await runCommand(models, "llama-3.1-8b-instruct")).text).not.toContain("hub's cache");
  });

  it("tells what a cut fetch left", async () => {
    hub.faults.cutAfter = [16_000, 1, 1, 1, 1, 1, 1, 1];
    await runCommand(pull, "some/model --quiet").catch(() => undefined);
    await runCommand(pull, "some/model --quiet").catch(() => undefined);
    const blobs = join(cache, "models--some--model", "blobs");
    writeFileSync(join(blobs, "abc.incomplete"), new Uint8Array(20_000_000));
    const { text } = await runCommand(models, "--cached");
    expect(text).toMatch(/ 0\.0[23] GB +some\/model/);
  });

  it("refuses a name that is none, offline, and what the hub does not give", async () => {
    await expect(runCommand(pull, "model")).rejects.toThrow('"model" is no ORG/NAME[@revision].');
    await expect(runCommand(pull, "")).rejects.toThrow('"" is no ORG/NAME');
    await expect(runCommand(pull, "some/other --quiet")).rejects.toThrow("some/other");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await expect(runCommand(pull, "some/model")).rejects.toThrow("HF_HUB_OFFLINE is set");
    expect(hub.sent).toBe(0);
  });
});

describe("trainyard models", () => {
  it("tells all of the catalogue, and nothing near where nothing is", async () => {
    const all = JSON.parse((await runCommand(models, "--json")).text);
    const { text } = await runCommand(models, "");
    expect(text).toContain(`\n${all.length} models; any command takes an id.`);
    for (const { id } of all) expect(text).toContain(id);
    const small = all.find(({ parameters }: { parameters: number }) => parameters < 1e9);
    expect(text).toContain(`${(small.parameters / 1e9).toFixed(2)} B`);
    await expect(runCommand(models, "qqqqqq")).rejects.toThrow(/^no id contains "qqqqqq"\.$/);
  });
});
