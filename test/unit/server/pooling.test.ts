/** What all pooling answers have alike: the name that is asked for, and an id that the log tells too. */
import type { FastifyRequest } from "fastify";
import { expect, it } from "vitest";
import { answering } from "../../../server/pooling/answer.ts";
import type { Serving } from "../../../server/serving.ts";

const serving = { names: ["m", "other"], adapters: undefined } as unknown as Serving; // names are all that is read

it("an answer's id is the client's own where it gives one, and is told in the log", () => {
  const answered = (headers: object, body: object) => {
    const request = { headers, record: {} } as FastifyRequest; // no more of it is read
    const found = answering(serving, request, { prefix: "embd", body });
    expect(request.record.id).toBe(found.id);
    return found;
  };
  expect(answered({ "x-request-id": "mine" }, { request_id: "body" }).id).toBe("embd-mine");
  expect(answered({}, { request_id: "body" }).id).toBe("embd-body");
  expect(answered({ "x-request-id": "" }, {}).id).toMatch(/^embd-[0-9a-f]{16}$/);
  expect(answered({}, {}).id).not.toBe(answered({}, {}).id);
  expect(answered({}, { model: "other" }).model).toBe("m"); // as vLLM: its first name
  expect(() => answered({}, { model: "nobody" })).toThrow("nobody");
});
