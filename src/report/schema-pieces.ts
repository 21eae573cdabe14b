/** Pieces of which the JSON Schemas of the reports are made. */
export const text = { type: 'string' } as const;
export const time = { type: 'string', format: 'date-time' } as const;
export const count = { type: 'integer', minimum: 0 } as const;
/** Of seconds and other measures. */
export const measure = { type: 'number', minimum: 0 } as const;

/** More fields than those named are allowed: reports only grow. */
export function object(required: Record<string, object>, optional: Record<string, object> = {}, description?: string): object {
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    properties: { ...required, ...optional },
    required: Object.keys(required),
  };
}

export function listOf(items: object, description?: string): object {
  return { type: 'array', ...(description === undefined ? {} : { description }), items };
}

export const error = object({ code: text, message: text }, { hint: text }, 'What failed, what it means, and what to do next.');
