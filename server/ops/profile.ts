/** /start_profile and /stop_profile, as vLLM's: they exist where `--profiler-config` names a profiler. */
import type { FastifyInstance } from "fastify";
import type { Serving } from "../serving.ts";

export async function profileRoutes(app: FastifyInstance, { profiler }: Serving): Promise<void> {
  if (profiler === undefined) return;
  // Whatever a client sends along is not read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => {
    payload.resume();
    done(null);
  });
  app.post("/start_profile", async (request, reply) => {
    profiler.start();
    request.log.info("Profiler started");
    return reply.code(200).send();
  });
  app.post("/stop_profile", async (request, reply) => {
    const files = await profiler.stop();
    request.log.info({ files }, "Profiler stopped");
    return reply.code(200).send();
  });
}
