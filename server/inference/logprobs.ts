/** Log-probabilities that a generator told by ids, with the tokens' names. */
import { type Static, Type } from "typebox";
import { nullable } from "../generation/fields.ts";
import { TokenNames } from "../openai/logprobs.ts";
import type { Serving } from "../serving.ts";

const idLogprob = { token_id: Type.Integer({ minimum: 0 }), logprob: Type.Number() };
/** As a generator tells them. */
export const idLogprobs = Type.Object({
  content: nullable(
    Type.Array(
      Type.Object({ ...idLogprob, top_logprobs: nullable(Type.Array(Type.Object(idLogprob))) }),
    ),
  ),
});

type IdLogprobs = Static<typeof idLogprobs> | null | undefined;

export function chatLogprobsOf({ tokenizer }: Serving, logprobs: IdLogprobs): object | null {
  if (!logprobs?.content) return null;
  const names = new TokenNames(tokenizer, false);
  const entry = ({
    token_id: id,
    logprob,
  }: {
    readonly token_id: number;
    readonly logprob: number;
  }) => ({
    ...{ token: names.text(id), logprob, bytes: names.bytes(id) },
  });
  const content = logprobs.content.map((one) => ({
    ...entry(one),
    top_logprobs: (one.top_logprobs ?? []).map(entry),
  }));
  return { content };
}

export function textLogprobsOf({ tokenizer }: Serving, logprobs: IdLogprobs): object | null {
  if (!logprobs?.content) return null;
  const names = new TokenNames(tokenizer, false);
  const tokens = logprobs.content.map(({ token_id: id }) => names.text(id));
  let end = 0;
  return {
    text_offset: tokens.map((token) => {
      const start = end;
      end += token.length;
      return start;
    }),
    token_logprobs: logprobs.content.map(({ logprob }) => logprob),
    tokens,
    top_logprobs: logprobs.content.map(({ top_logprobs: top }) =>
      top?.length
        ? Object.fromEntries(top.map(({ token_id: id, logprob }) => [names.text(id), logprob]))
        : null,
    ),
  };
}
