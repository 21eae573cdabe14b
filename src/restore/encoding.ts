/** WHATWG labels for PostgreSQL's encodings of one byte a character, whose names differ; WINxxxx and KOI8 follow a rule. */
const LABELS: Readonly<Record<string, string>> = {
  UTF8: 'utf-8',
  SQL_ASCII: 'utf-8',
  LATIN1: 'iso-8859-1',
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN5: 'iso-8859-9',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  LATIN10: 'iso-8859-16',
  ISO_8859_5: 'iso-8859-5',
  ISO_8859_6: 'iso-8859-6',
  ISO_8859_7: 'iso-8859-7',
  ISO_8859_8: 'iso-8859-8',
  KOI8R: 'koi8-r',
  KOI8U: 'koi8-u',
  WIN866: 'ibm866',
  WIN874: 'windows-874',
  EUC_JP: 'euc-jp',
  EUC_KR: 'euc-kr',
  EUC_CN: 'gbk',
};

/** Text in one of PostgreSQL's server encodings. Bytes of an encoding that is not known come out as Latin-1. */
export function decodeText(bytes: Uint8Array, encoding: string): string {
  const label = LABELS[encoding] ?? (/^WIN125\d$/.test(encoding) ? `windows-${encoding.slice(3)}` : 'iso-8859-1');
  return new TextDecoder(label).decode(bytes);
}
