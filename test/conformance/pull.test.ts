/** Fetching models from a hub on loopback: whole, cut, killed, slow, lying, redirecting, refusing. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { loadModel } from "../../models/load.ts";
import { cachedModels } from "../../models/weights/hub-cache.ts";
import { type FetchProgress, fetchModel, hubSettings } from "../../models/weights/hub-fetch.ts";
import { CLI } from "../support/compiled.ts";
import { goldens } from "../support/golden.ts";
import { COMMIT, LoopbackHub, PIECE } from "../support/hub.ts";

const llama = goldens().find(({ name }) => name === "llama")?.folder ?? "";
const read = (name: string): Uint8Array => readFileSync(join(llama, name));
const FILES = {
  "config.json": read("config.json"),
  "tokenizer.json": read("tokenizer.json"),
  "model.safetensors": read("model.safetensors"),
  "README.md": "# not needed",
  "pytorch_model.bin": new Uint8Array(20_000),
  "original/consolidated.00.pth": new Uint8Array(20_000),
};
const NAME = { repo: "some/model" };

let cache = "";
let hub: LoopbackHub;
let endpoint = "";
const open: LoopbackHub[] = [];

async function serve(files: Readonly<Record<string, Uint8Array | string>> = FILES): Promise<void> {
  hub = new LoopbackHub(files);
  open.push(hub);
  endpoint = await hub.open();
}

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "pull-"));
  vi.stubEnv("HF_HUB_CACHE", cache);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const each of open.splice(0)) await each.close();
  rmSync(cache, { recursive: true });
});

const small = FILES["config.json"].length + FILES["tokenizer.json"].length;
const needed = small + FILES["model.safetensors"].length;

describe("a model of the hub", () => {
  it("is fetched into the hub's layout, only what serving needs, and loads by its name", async () => {
    await serve();
    const seen: FetchProgress[] = [];
    const snapshot = await fetchModel(NAME, { endpoint, onProgress: (now) => seen.push(now) });
    expect(readdirSync(snapshot).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
    expect(lstatSync(join(snapshot, "config.json")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(cache, "models--some--model", "refs", "main"), "utf8")).toBe(COMMIT);
    expect(hub.sent).toBe(needed);
    expect(seen.at(-1)).toMatchObject({ have: needed, fetched: needed, total: needed });
    expect((await loadModel("some/model")).checkpoint?.folder).toBe(snapshot);
    // There already: nothing comes again.
    await fetchModel({ ...NAME, revision: "v1" }, { endpoint });
    expect(hub.sent).toBe(needed);
    expect(cachedModels()).toMatchObject([
      { revisions: ["main", "v1"], bytes: needed, unfinishedBytes: 0 },
    ]);
  });

  it("goes on where a connection was cut, however often", async () => {
    await serve();
    hub.faults.cutAfter = [50_000, 70_000, 0];
    await fetchModel(NAME, { endpoint });
    expect(hub.sent).toBe(needed);
  });

  it("begins anew where the hub hears no ranges", async () => {
    await serve();
    Object.assign(hub.faults, { cutAfter: [50_000], deaf: true });
    await fetchModel(NAME, { endpoint });
    expect(hub.sent).toBe(needed + 50_000);
  });

  it("is given up with what came kept when the hub cuts again and again", async () => {
    await serve();
    hub.faults.cutAfter = Array.from({ length: 9 }, () => 1000);
    const fetching = fetchModel(NAME, { endpoint, retries: 2 });
    await expect(fetching).rejects.toThrow(/model\.safetensors: .*/);
    expect(cachedModels()[0]?.unfinishedBytes).toBe(3000);
  });

  it("is followed to where the hub redirects, without its token", async () => {
    await serve();
    const other = new LoopbackHub(FILES);
    open.push(other);
    hub.faults.redirect = (await other.open()).replace("127.0.0.1", "localhost");
    await fetchModel(NAME, { endpoint, token: "hf_secret" });
    expect(other.sent).toBe(needed);
    expect(new Set(hub.tokens)).toEqual(new Set(["Bearer hf_secret"]));
    expect(new Set(other.tokens)).toEqual(new Set([undefined]));
  });
});

describe("what is wrong is named", () => {
  const cases: readonly (readonly [string, () => void, RegExp])[] = [
    [
      "a wrong hash",
      () => {
        hub.faults.spoil = true;
      },
      /model\.safetensors: its hash is \w+, and the hub promised \w+/,
    ],
    [
      "more bytes than promised",
      () => {
        hub.faults.lie = -5;
      },
      /model\.safetensors: more than the \d+ bytes/,
    ],
    [
      "fewer bytes than promised",
      () => {
        hub.faults.lie = 5;
      },
      /model\.safetensors: ended at byte \d+ of \d+/,
    ],
    [
      "no token",
      () => {
        hub.faults.token = "hf_right";
      },
      /some\/model: the hub wants a token; set HF_TOKEN/,
    ],
  ];
  for (const [name, spoil, message] of cases)
    it(name, async () => {
      await serve();
      spoil();
      await expect(fetchModel(NAME, { endpoint, retries: 1 })).rejects.toThrow(message);
      await expect(loadModel("some/model")).rejects.toThrow(
        /neither a folder, nor in the hub's cache/,
      );
    });

  it("a token that is refused, an unknown model, a model without safetensors, no hub", async () => {
    await serve();
    hub.faults.token = "hf_right";
    await expect(fetchModel(NAME, { endpoint, token: "hf_wrong" })).rejects.toThrow(
      /refuses the token/,
    );
    await fetchModel(NAME, { endpoint, token: "hf_right" });
    hub.faults.token = undefined as unknown as string;
    await expect(fetchModel({ ...NAME, revision: "v9" }, { endpoint })).rejects.toThrow(
      /some\/model@v9: the hub knows no such model or revision/,
    );
    await expect(fetchModel(NAME, { endpoint, token: "mine" })).rejects.toThrow(/begins with hf_/);
    await serve({ "config.json": "{}" });
    await expect(fetchModel(NAME, { endpoint })).rejects.toThrow(/no safetensors/);
    await hub.close();
    await expect(fetchModel(NAME, { endpoint })).rejects.toThrow(/the hub does not answer/);
  });
});

it("the environment says where the hub is, with which token, and whether it is asked at all", () => {
  const files = (path: string): string | undefined => (path === "/h/token" ? "kept\n" : undefined);
  expect(hubSettings({ HF_HOME: "/h", HF_ENDPOINT: "http://hub/" }, files)).toEqual({
    endpoint: "http://hub",
    token: "kept",
    offline: false,
  });
  expect(hubSettings({ HF_HOME: "/h", HF_TOKEN: "own", HF_HUB_OFFLINE: "1" }, files)).toEqual({
    token: "own",
    offline: true,
  });
});

describe("trainyard pull", () => {
  const pull = (...args: readonly string[]) =>
    spawn(process.execPath, [CLI, "pull", ...args], {
      env: { ...process.env, HF_HUB_CACHE: cache, HF_ENDPOINT: endpoint },
    });
  const ended = async (
    child: ReturnType<typeof pull>,
  ): Promise<readonly [number | null, string]> => {
    let text = "";
    child.stdout.on("data", (piece: Buffer) => {
      text += piece.toString();
    });
    child.stderr.on("data", (piece: Buffer) => {
      text += piece.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return [code, text];
  };

  it("killed at 40 % goes on from there", async () => {
    // 300 by hand: TRAINYARD_PULL_MB=300 npx vitest run test/conformance/pull.test.ts -t killed
    const size = 1e6 * Number(process.env["TRAINYARD_PULL_MB"] ?? 30);
    const weights = new Uint8Array(size).map((_, i) => (i * 2_654_435_761) >>> 24);
    await serve({ ...FILES, "model.safetensors": weights });
    // All that was sent is written: a client that is late would have more sent again.
    const held = PIECE * Math.ceil((0.4 * size) / PIECE);
    hub.faults.holdAt = held;
    const first = pull("some/model", "--quiet");
    const written = () => cachedModels()[0]?.unfinishedBytes;
    await expect.poll(written, { timeout: 120_000 }).toBe(held);
    first.kill("SIGKILL");
    await ended(first);
    delete hub.faults.holdAt;
    const [code, text] = await ended(pull("some/model", "--quiet"));
    expect(text.trim()).toBe(join(cache, "models--some--model", "snapshots", COMMIT));
    expect(code).toBe(0);
    expect(readFileSync(join(text.trim(), "model.safetensors")).equals(weights)).toBe(true);
    expect(hub.sent).toBe(size + small);
  }, 300_000);

  it("twice at once fetches every byte once, and both end with the model", async () => {
    const size = 3_000_000;
    const weights = new Uint8Array(size).map((_, i) => (i * 2_654_435_761) >>> 24);
    await serve({ ...FILES, "model.safetensors": weights });
    hub.faults.pause = 4;
    const both = [pull("some/model", "--quiet"), pull("some/model", "--quiet")].map(ended);
    for (const [code, text] of await Promise.all(both)) {
      expect(text.trim()).toBe(join(cache, "models--some--model", "snapshots", COMMIT));
      expect(code).toBe(0);
    }
    const snapshot = join(cache, "models--some--model", "snapshots", COMMIT);
    expect(readFileSync(join(snapshot, "model.safetensors")).equals(weights)).toBe(true);
    expect(hub.sent).toBe(size + small);
    expect(readdirSync(join(cache, "models--some--model", "blobs"))).toHaveLength(3);
  });

  it("goes on where one that was killed has left its claim", async () => {
    await serve();
    const blobs = join(cache, "models--some--model", "blobs");
    mkdirSync(blobs, { recursive: true });
    const hash = createHash("sha256").update(FILES["model.safetensors"]).digest("hex");
    writeFileSync(join(blobs, `${hash}.lock`), `4194305 ${hostname()}`);
    await fetchModel(NAME, { endpoint });
    expect(hub.sent).toBe(needed);
  });

  it("fetches nothing offline, and knows a name when it sees one", async () => {
    await serve();
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await ended(pull("some/model"))).toEqual([2, expect.stringContaining("HF_HUB_OFFLINE")]);
    expect(await ended(pull("./folder"))).toEqual([2, expect.stringContaining("ORG/NAME")]);
  });
});
