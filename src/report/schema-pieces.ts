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

/** What the report of a run begins with. */
export function runOf(job: string, reportVersion: number): Record<string, object> {
  return {
    reportVersion: { const: reportVersion },
    job: { const: job },
    outcome: { enum: ['success', 'incomplete', 'failure', 'aborted'] },
    exitStatus: { type: 'integer', minimum: 0, maximum: 255 },
  };
}

export const times = { startedAt: time, finishedAt: time, durationSeconds: measure } as const;

/** When the run was due. */
export const slot = { ...time, description: 'When the run was due; absent when it was not started by the schedule.' } as const;

export const error = object({ code: text, message: text }, { hint: text }, 'What failed, what it means, and what to do next.');
