/** The paths of `--enable-scale-out` where it is off: each says so, whatever is sent. */
import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/errors.ts";

const PATHS = [
  ...["chat/completions", "messages", "completions", "responses"].map((of) => `/v1/${of}/render`),
  ...["chat/completions", "completions"].map((of) => `/v1/${of}/derender`),
  "/inference/v1/generate",
];

export function switchedOffRoutes(app: FastifyInstance): void {
  for (const path of PATHS) {
    app.post(
      path,
      {
        config: { hidden: true },
        onRequest: (_request, _reply, done) =>
          done(
            new ApiError(
              "switched-off",
              "Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out to enable them.",
            ),
          ),
      },
      async () => undefined,
    );
  }
}
