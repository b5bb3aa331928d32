/** `trainyard serve` in this process: exit codes, signals, and where it listens. */

import { once } from "node:events";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseSettings } from "../../server/config.ts";
import {
  boundConnections,
  connectionsLeft,
  listenOptions,
  startError,
} from "../../server/listen.ts";
import { run } from "../../server/main.ts";

const temporary = (): string => mkdtempSync(join(tmpdir(), "run-"));
const MODEL = ["models/tiny/llama", "--device", "null", "--log-level", "silent"];

/** What is written past the console. */
let out = "";
let err = "";
beforeEach(() => {
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => {
  vi.mocked(process.stdout.write).mockRestore();
  vi.mocked(process.stderr.write).mockRestore();
});

/** Resolves when a server of this process waits for its signal. */
async function started(before: number): Promise<void> {
  await expect
    .poll(() => process.listenerCount("SIGHUP"), { timeout: 20_000 })
    .toBeGreaterThan(before);
}

describe("run", () => {
  it("prints its help and ends with 0", async () => {
    expect(await run(["--help"])).toBe(0);
    expect(out).toContain("--max-num-seqs");
  });

  it.each([
    [["--no-such-flag"], 2, "no-such-flag"],
    [[...MODEL, "--max-model-len", "0"], 2, "--max-model-len"],
    [["/no/such/folder"], 1, "/no/such/folder"],
    [[...MODEL, "--ssl-keyfile", "/no/key", "--ssl-certfile", "/no/cert"], 2, "--ssl-keyfile"],
    [[...MODEL, "--chat-template", "{{ raise_exception('never') "], 2, "--chat-template"],
  ] as const)("ends %s with %i and one line", async (argv, code, named) => {
    expect(await run(argv)).toBe(code);
    expect(err).toMatch(/^trainyard serve: [^\n]+\n$/);
    expect(err).toContain(named);
  });

  it("tells whose port it wanted", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number }; // it listens on TCP
    expect(await run([...MODEL, "--port", String(port)])).toBe(1);
    expect(err).toContain(`port ${port} on 127.0.0.1 is in use`);
    other.close();
  });

  it("drains at a signal and ends with 0", async () => {
    const uds = join(temporary(), "socket");
    const before = process.listenerCount("SIGHUP");
    const code = run([...MODEL, "--uds", uds, "--shutdown-timeout", "5"]);
    await started(before);
    expect(existsSync(uds)).toBe(true);
    process.emit("SIGHUP");
    expect(await code).toBe(0);
    expect(process.listenerCount("SIGHUP")).toBe(before);
  });

  it("hears a second signal that comes with the first", async () => {
    const before = process.listenerCount("SIGHUP");
    const code = run([...MODEL, "--port", "0", "--shutdown-timeout", "5"]);
    await started(before);
    process.emit("SIGHUP");
    process.emit("SIGTERM");
    expect(await code).toBe(130);
    expect(process.listenerCount("SIGHUP")).toBe(before);
  });
});

describe("where to listen", () => {
  const optionsOf = (...argv: string[]) => listenOptions(parseSettings(argv).settings);

  it("is a host and a port", async () => {
    expect(await optionsOf("--host", "::", "--port", "9")).toEqual({ host: "::", port: 9 });
  });

  it("takes over a socket that nobody listens on, and no other file", async () => {
    const folder = temporary();
    const path = join(folder, "s");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(await optionsOf("--uds", path)).toEqual({ path });
    expect(existsSync(path)).toBe(true); // it is answered there
    await new Promise((resolve) => server.close(resolve));
    const file = join(folder, "f");
    writeFileSync(file, "kept");
    await optionsOf("--uds", file);
    expect(existsSync(file)).toBe(true);
  });

  it("closes connections that it has no files for, and says so", async () => {
    const limits = (files: string) => () =>
      `Max cpu time  1  1  s\nMax open files  ${files}  9  files`;
    expect(connectionsLeft(limits("1024"), () => 20)).toBe(940);
    expect(connectionsLeft(limits("50"), () => 20)).toBe(8);
    expect(connectionsLeft(limits("unlimited"), () => 20)).toBeUndefined();
    const none = () => {
      throw new Error("no such file");
    };
    expect(connectionsLeft(none)).toBeUndefined();
    const server = createServer();
    let now = 0;
    const said: object[] = [];
    const warn = (fields: object, message: string) =>
      said.push([fields, message.includes("ulimit -n")]);
    boundConnections(server, 2, { warn }, () => now);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const kept = [connect(port), connect(port)];
    await Promise.all(kept.map((socket) => once(socket, "connect")));
    const refused = async () => {
      const socket = connect(port).resume();
      await once(socket, "close");
    };
    await refused();
    await refused();
    now = 10_000;
    await refused();
    expect(said).toEqual([
      [{ most: 2, refused: 1 }, true],
      [{ most: 2, refused: 3 }, true],
    ]);
    for (const socket of kept) socket.destroy();
    server.close();
  });

  it("is told in one line when it cannot be had", () => {
    const error = (fields: object) => startError(Object.assign(new Error("why"), fields));
    expect(error({ code: "EADDRINUSE", address: "/tmp/s", port: -1 })).toContain("--uds");
    expect(error({ code: "EADDRINUSE", address: "::", port: 80 })).toMatch(/port 80 .*--port/);
    expect(error({ code: "EACCES" })).toBe("why. Choose another --port.");
    expect(error({})).toBe("why");
  });
});
