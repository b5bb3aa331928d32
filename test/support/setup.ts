/**
 * A test that writes to the console fails: what is worth saying is worth asserting. What a file's tests
 * leave in the temporary folder, and stubs of one that failed, end with the file.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeEach, vi } from "vitest";

const METHODS = ["log", "info", "warn", "error", "debug"] as const;

// What a simulated start keeps is not the user's.
process.env["XDG_CACHE_HOME"] = resolve(".cache", "tests");

const usual = process.env["TMPDIR"];
const temporary = mkdtempSync(join(tmpdir(), "trainyard-tests-"));
process.env["TMPDIR"] = temporary;

afterAll(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  if (usual === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = usual;
  rmSync(temporary, { recursive: true, force: true });
});

beforeEach(() => {
  for (const method of METHODS) vi.spyOn(console, method);
});

afterEach(() => {
  for (const method of METHODS) {
    const calls = vi.mocked(console[method]).mock.calls;
    vi.mocked(console[method]).mockRestore();
    if (calls.length > 0) throw new Error(`console.${method}: ${String(calls[0]?.[0])}`);
  }
});
