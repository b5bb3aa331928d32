import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { loadModel } from "../../../models/load.ts";
import {
  cachedModels,
  cachedSnapshot,
  hubCacheFolder,
  parseHubName,
} from "../../../models/weights/hub-cache.ts";
import { goldens } from "../../support/golden.ts";

const llama = goldens().find(({ name }) => name === "llama")?.folder ?? "";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const OTHER = "89abcdef0123456789abcdef0123456789abcdef";

let cache = "";
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "hub-"));
  vi.stubEnv("HF_HUB_CACHE", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

/** A repository as the hub's clients leave it: blobs, links to them, a ref. */
function put(repo: string, commit: string, refs: readonly string[], from = llama): string {
  const folder = join(cache, `models--${repo.replace("/", "--")}`);
  const snapshot = join(folder, "snapshots", commit);
  mkdirSync(snapshot, { recursive: true });
  cpSync(from, join(folder, "blobs"), { recursive: true });
  for (const name of ["config.json", "model.safetensors", "tokenizer.json"])
    symlinkSync(join("..", "..", "blobs", name), join(snapshot, name));
  for (const ref of refs) {
    mkdirSync(join(folder, "refs", ref, ".."), { recursive: true });
    writeFileSync(join(folder, "refs", ref), commit);
  }
  return snapshot;
}

describe("names of the hub", () => {
  it("are ORG/NAME with a revision or none", () => {
    expect(parseHubName("Qwen/Qwen2.5-0.5B")).toEqual({ repo: "Qwen/Qwen2.5-0.5B" });
    expect(parseHubName("a/b@refs/pr/1")).toEqual({ repo: "a/b", revision: "refs/pr/1" });
    for (const other of ["gpt2", "./a/b", "/a/b", "a/b/c", "a--b/c", "a/b@", "a/b@../x", "a/..b"])
      expect(parseHubName(other), other).toBeUndefined();
  });

  it("are looked for where the hub's clients keep them", () => {
    expect(hubCacheFolder({ HF_HUB_CACHE: "/c" })).toBe("/c");
    expect(hubCacheFolder({ HF_HOME: "/h" })).toBe("/h/hub");
    expect(hubCacheFolder({ XDG_CACHE_HOME: "/x" })).toBe("/x/huggingface/hub");
    expect(hubCacheFolder({})).toMatch(/\/\.cache\/huggingface\/hub$/);
  });
});

describe("a cached model", () => {
  it("is loaded by its name, a branch, a tag and a commit", async () => {
    put("some/model", COMMIT, ["main", "v1.0"]);
    put("some/model", OTHER, ["refs/pr/1"]);
    for (const source of ["some/model", "some/model@v1.0", `some/model@${COMMIT}`])
      expect((await loadModel(source)).checkpoint?.folder).toMatch(COMMIT);
    expect((await loadModel("some/model@refs/pr/1")).checkpoint?.folder).toMatch(OTHER);
    await expect(loadModel("some/model@v2")).rejects.toThrow(/model "some\/model@v2": neither/);
  });

  it("lends its tokenizer", async () => {
    put("some/model", COMMIT, ["main"]);
    const { tokenizer } = await loadModel("meta-llama/Llama-3.1-8B-Instruct", {
      tokenizer: "some/model",
    });
    expect(tokenizer?.vocabSize).toBe(320);
  });

  it("stands before the catalogue only with its weights, and never in its place for a revision", async () => {
    const id = "meta-llama/Llama-3.1-8B-Instruct";
    const snapshot = put(id, COMMIT, ["main"]);
    expect((await loadModel(id)).architecture.layers).toHaveLength(3);
    rmSync(join(snapshot, "model.safetensors"));
    expect((await loadModel(id)).architecture.layers).toHaveLength(32);
    expect((await loadModel(`${id}@main`)).unread).toMatch(/no weights/);
    await expect(loadModel(`${id}@v9`)).rejects.toThrow(/neither a folder, nor in the hub's cache/);
  });

  it("whose blob is gone is refused by its file", async () => {
    put("some/model", COMMIT, ["main"]);
    rmSync(join(cache, "models--some--model", "blobs", "model.safetensors"));
    expect((await loadModel("some/model")).unread).toMatch(/model\.safetensors: a link to nothing/);
    rmSync(join(cache, "models--some--model", "blobs", "config.json"));
    await expect(loadModel("some/model")).rejects.toThrow(/config\.json: a link to nothing/);
  });

  it("is listed with its bytes and its revisions", () => {
    put("some/model", COMMIT, ["main", "refs/pr/1"]);
    writeFileSync(join(cache, "models--some--model", "blobs", "abc.incomplete"), "12345");
    mkdirSync(join(cache, "datasets--a--b"));
    const [model, ...more] = cachedModels();
    expect(more).toEqual([]);
    expect(model).toMatchObject({
      id: "some/model",
      revisions: ["main", "refs/pr/1"],
      unfinishedBytes: 5,
    });
    expect(model?.bytes).toBeGreaterThan(100_000);
    expect(cachedModels(join(cache, "nowhere"))).toEqual([]);
    expect(cachedSnapshot({ repo: "some/other" })).toBeUndefined();
  });
});
