/** One table of errors: it is what is printed, what is raised, and all that is raised. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BECOME, ERRORS, errorsTable, REALTIME_ERRORS } from "../../../server/http/error-table.ts";
import { ApiError } from "../../../server/http/errors.ts";
import { StatusError } from "../../../server/http/status-error.ts";

const TABLE = "server/http/error-table.ts";

function sources(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .filter((path) => !path.startsWith("server/web/") && path !== TABLE);
}

const server = sources("server").map((path) => ({ path, text: readFileSync(path, "utf8") }));

/** Statuses of failures that are written where they are sent, beside the table. */
function loose(text: string): readonly string[] {
  const statuses =
    /\b(?:code|status|writeHead)\(\s*[45]\d\d\b|\bstatus(?:Code)?\s*[:=]\s*[45]\d\d\b|[?:]\s*[45]\d\d\)/g;
  return text.match(statuses) ?? [];
}

describe("the table of errors", () => {
  it("is printed in ERRORS.md as it is", () => {
    expect(readFileSync("server/ERRORS.md", "utf8")).toBe(errorsTable());
  });

  it("is where every failing status comes from", () => {
    expect(server.flatMap(({ path, text }) => loose(text).map((it) => `${path}: ${it}`))).toEqual(
      [],
    );
    expect(loose('reply.code(404).send({ detail: "x" })')).toHaveLength(1);
    expect(loose("reply.code(ok ? 200 : 503)")).toHaveLength(1);
    expect(loose("raw.statusCode = 500")).toHaveLength(1);
    expect(loose("reply.code(200)")).toEqual([]);
  });

  it("has no row that nothing raises", () => {
    const all = server.map(({ text }) => text).join("\n");
    const unused = Object.keys({ ...ERRORS, ...REALTIME_ERRORS }).filter(
      (code) => !all.includes(`"${code}"`) && !all.includes(`ERRORS.${code}`),
    );
    expect(unused).toEqual([]);
  });

  it("has every code that realtime events carry", () => {
    const carried = server
      .filter(({ path }) => path.startsWith("server/openai/realtime/"))
      .flatMap(({ text }) => [...text.matchAll(/\bcode: (?:known\?\.code \?\? )?"(\w+)"/g)])
      .map(([, code]) => code);
    expect(carried.length).toBeGreaterThan(0);
    expect(carried.filter((code) => !Object.keys(REALTIME_ERRORS).includes(code ?? ""))).toEqual(
      [],
    );
  });

  it("says of every class of errors what becomes of it", () => {
    const declared = [...server, ...["engine", "device", "models"].flatMap(read)].flatMap(
      ({ text }) => [...text.matchAll(/\bclass (\w+) extends \w*Error\b/g)].map(([, name]) => name),
    );
    expect(Object.keys(BECOME).sort()).toEqual(declared.sort());
  });

  it("gives an error its status and body", () => {
    const sent = (code: keyof typeof ERRORS) => {
      const error = new ApiError(code, "Why.", { param: "n" });
      return { status: error.status, body: error.answer() };
    };
    expect(sent("not-found")).toEqual({
      status: 404,
      body: { error: { message: "Why.", type: "NotFoundError", param: "n", code: 404 } },
    });
    expect(sent("unparsed")).toEqual({ status: 400, body: { detail: "Why." } });
    expect(sent("unauthorized")).toEqual({ status: 401, body: { error: "Why." } });
    expect(sent("unhealthy")).toEqual({ status: 503, body: undefined });
    const own = new ApiError("timeout", "Why.").answer(({ message }) => ({ message }));
    expect(own).toEqual({ message: "Why." });
  });
});

function read(folder: string) {
  return sources(folder).map((path) => ({ path, text: readFileSync(path, "utf8") }));
}

describe("an error of any status", () => {
  it("has vLLM's name for it or the status' own, and tells two of them when to come again", () => {
    const wait = (status: number): number | undefined =>
      new StatusError(status, "x").retryAfterSeconds;
    expect([400, 404, 429, 500, 503].map(wait)).toEqual([undefined, undefined, 1, undefined, 1]);
    expect(new StatusError(503, "x", { retryAfterSeconds: 9 }).retryAfterSeconds).toBe(9);
    const type = (status: number): string => new StatusError(status, "x").body.error.type;
    expect([type(404), type(418), type(599)]).toEqual(["NotFoundError", "I'm a Teapot", "Error"]);
  });
});

describe("messages", () => {
  const told = (message: string): string => new ApiError("not-found", message).body.error.message;

  it.each([
    ["no file /etc/models/a.json there", "no file <path> there"],
    ["/home/me/models", "<path>"],
    ["a/b.c and /b.c, /b/c/d", "a/b.c and /b.c, /b/c/d"],
    ['x\n  File "a.py", line 3, in f\n    y\nz', "x\nz"],
    ["<object at 0x7f0a>", "<object>"],
  ])("%j shows no path and no address of ours", (message, shown) => {
    expect(told(message)).toBe(shown);
  });

  it.each(["/a", " ", '\n File "', " at 0x1"])(
    "that quote thousands of %j are looked at once, and told in part",
    (unit) => {
      const quoted = (count: number) => `${unit.repeat(count)}x`;
      const about = (count: number) => told(`The model \`${quoted(count)}\` does not exist.`);
      expect(about(2_000)).toContain(quoted(2_000).trim());
      const cut = about(2_000_000);
      expect([cut.length < 20_100, cut.slice(-14)]).toEqual([true, "...[truncated]"]);
    },
  );

  it("name a parameter in part", () => {
    const { param } = new ApiError("bad-request", "x", { param: "p".repeat(2_000) });
    expect(param).toBe(`${"p".repeat(1_024)}...[truncated]`);
  });
});
