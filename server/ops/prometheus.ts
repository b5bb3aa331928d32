/**
 * GET /metrics, and what vLLM's framework mounts there besides: an answer to every other method
 * and to every path beneath, in the older format of text.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Metrics } from "../metrics/metrics.ts";

export function prometheusRoutes(routes: FastifyInstance, metrics: Metrics): void {
  const scraped = async (request: FastifyRequest, reply: FastifyReply) => {
    if (/application\/openmetrics-text/.test(request.headers.accept ?? "")) {
      const type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
      return reply.type(type).send(await metrics.openMetrics());
    }
    const text = await metrics.text();
    const route = request.method === "GET" && request.routeOptions.url === "/metrics";
    const version = route ? "1.0.0" : "0.0.4";
    return reply.type(`text/plain; version=${version}; charset=utf-8`).send(text);
  };
  routes.get("/metrics", scraped);
  const others = routes.supportedMethods.filter((method) => method !== "GET");
  const mounted = { handler: scraped, config: { hidden: true } } as const;
  routes.route({ method: others, url: "/metrics", ...mounted });
  routes.route({ method: routes.supportedMethods, url: "/metrics/*", ...mounted });
}
