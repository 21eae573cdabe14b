// Standard input: the list of packages that `npm sbom` writes (CycloneDX). Standard output: the same, without what differs from run to run.
import { text } from 'node:stream/consumers';

const bill = JSON.parse(await text(process.stdin));
delete bill.serialNumber;
bill.metadata.timestamp = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000).toISOString();
process.stdout.write(`${JSON.stringify(bill, undefined, 1)}\n`);
