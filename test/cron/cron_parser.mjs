// For record.py: reads expression, zone and instant, writes what cron-parser says.
import { CronExpressionParser } from 'cron-parser';
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
	const [text, tz, at] = line.split('\t');
	let answer;

	try {
		const it = CronExpressionParser.parse(text, { tz, currentDate: new Date(at * 1000) });
		answer = Math.round(it.next().getTime() / 1000);
	} catch {
		answer = 'x';
	}
	console.log(String(answer));
}
