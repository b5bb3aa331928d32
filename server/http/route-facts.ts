/**
 * What each request is told of its route when that was found: fastify makes
 * `routeOptions` anew whenever they are read.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** It has no schema of its body, and looks at it all the same. */
    readonly readsBody?: true;
    /** It is no part of /openapi.json. */
    readonly hidden?: true;
  }
}

export interface RouteFacts {
  /** The pattern. */
  readonly url: string;
  readonly takesBody: boolean;
  /** Of its body, where it has one. */
  readonly schema: object | undefined;
}

export function tellRoutes(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    const schema: unknown = route.schema?.body;
    const facts: RouteFacts = {
      url: route.url,
      takesBody: schema !== undefined || route.config?.readsBody === true,
      schema: typeof schema === "object" && schema !== null ? schema : undefined,
    };
    route.onRequest = [
      ...[route.onRequest ?? []].flat(),
      (request: FastifyRequest, _reply: unknown, done: () => void) => {
        request.record.route = facts;
        done();
      },
    ];
  });
}

/** The pattern of a request's route; undefined for a path nobody serves. */
export function routeOf(request: FastifyRequest): string | undefined {
  // A request that was turned away before has not been told.
  return request.record.route?.url ?? request.routeOptions.url;
}
