import type { Values } from './merge.ts';
import { maskWhenShown } from './secrets.ts';

export interface S3Target {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly pathStyle: boolean;
  /** Absent: the SDK's own chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
}

/** The bucket that the merged values name; undefined when there is none. */
export function s3Target(values: Values): S3Target | undefined {
  const at = (key: string): string => values.text(`targets.s3.${key}`);
  if (at('bucket') === '') return undefined;
  const pathStyle = values.value('targets.s3.pathStyle');
  const credentials = {
    accessKeyId: at('accessKeyId'),
    secretAccessKey: at('secretAccessKey'),
    ...(at('sessionToken') !== '' && { sessionToken: at('sessionToken') }),
  };
  return {
    bucket: at('bucket'),
    prefix: at('prefix').replace(/^\/+|\/+$/g, ''),
    ...(at('region') !== '' && { region: at('region') }),
    ...(at('endpoint') !== '' && { endpoint: at('endpoint') }),
    pathStyle: pathStyle === 'auto' ? at('endpoint') !== '' : pathStyle === true,
    ...(credentials.accessKeyId !== '' && { credentials: maskWhenShown(credentials, 'secretAccessKey', 'sessionToken') }),
  };
}
