/** How much a first visit of a leaderboard loads, and whether a long one stays smooth. */
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { useBrowser } from './browser';

const JAVASCRIPT_BUDGET_BYTES = 150_000;
const { visitor } = useBrowser();

interface Board {
    entries: { team: string; submission: string; rank: number | null }[];
}

/** Lets the page see a board of `teams`, each as the demo's first entry but for what must differ. */
async function pretendTeams(page: Page, teams: number): Promise<void> {
    await page.route('**/leaderboard?split=public', async (route) => {
        const answer = await route.fetch();
        const board = (await answer.json()) as Board;
        const [first] = board.entries;
        const entries = Array.from({ length: teams }, (_, index) => ({
            ...first,
            team: `team-${index + 1}`,
            submission: `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`,
            rank: index + 1,
            rank_low: index + 1,
            rank_high: index + 1,
            top1_error: 0.1 + (0.8 * index) / teams,
        }));
        await route.fulfill({ response: answer, json: { ...board, entries } });
    });
}

test('the first load of a leaderboard with 1,000 rows has less than 150 kB of JavaScript, gzipped', async () => {
    const who = await visitor();
    const scripts: Promise<{ name: string; bytes: number }>[] = [];
    who.page.on('response', (response) => {
        if (!/javascript/.test(response.headers()['content-type'] ?? '')) return;
        const name = new URL(response.url()).pathname;
        scripts.push(response.body().then((body) => ({ name, bytes: gzipSync(body).length })));
    });
    await pretendTeams(who.page, 1_000);
    await who.goto('/challenges/fashion-mnist/leaderboard');
    await who.page.getByText('team-1', { exact: true }).waitFor();
    await who.page.waitForTimeout(1_000);
    const loaded = await Promise.all(scripts);
    const total = loaded.reduce((sum, { bytes }) => sum + bytes, 0);
    console.log(`${loaded.length} files of JavaScript, ${total} bytes gzipped`);
    expect(loaded.length).toBeGreaterThan(3);
    expect(total).toBeLessThan(JAVASCRIPT_BUDGET_BYTES);
    await who.leave();
});

describe('a leaderboard of 10,000 rows', () => {
    test('has few of them in the document, tells of all, and is at its end at once', async () => {
        const who = await visitor();
        await pretendTeams(who.page, 10_000);
        await who.goto('/challenges/fashion-mnist/leaderboard');
        const rows = who.page.locator('tr[data-row]');
        await rows.first().waitFor();
        expect(await rows.count()).toBeLessThan(100);
        expect(await who.page.locator('table').getAttribute('aria-rowcount')).toBe('10001');

        await who.page.keyboard.press('End');
        await who.page.getByText('team-10000', { exact: true }).waitFor();
        expect(await rows.last().getAttribute('aria-rowindex')).toBe('10001');
        await who.page.keyboard.press('Home');
        await who.page.getByText('team-1', { exact: true }).waitFor();
        await who.leave();
    });

    test('stays smooth while it is scrolled', async () => {
        const who = await visitor();
        await pretendTeams(who.page, 10_000);
        await who.goto('/challenges/fashion-mnist/leaderboard');
        await who.page.locator('tr[data-row]').first().waitFor();
        // The work of the page for each frame, by the clock of the thread that does it; frames themselves are as slow as the machine,
        // which paints without a GPU and may have more to do.
        const session = await who.page.context().newCDPSession(who.page);
        await session.send('Performance.enable', { timeDomain: 'threadTicks' });
        const workMs = async (): Promise<number> => {
            const { metrics } = await session.send('Performance.getMetrics');
            return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Infinity);
        };
        const before = await workMs();
        const frames = await who.page.evaluate(async () => {
            const times: number[] = [];
            for (let frame = 0; frame < 120; frame += 1) {
                window.scrollBy(0, 400);
                const from = performance.now();
                await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
                times.push(performance.now() - from);
            }
            return times.sort((a, b) => a - b);
        });
        const work = ((await workMs()) - before) / frames.length;
        console.log(
            `scrolling 10,000 rows: two frames are ${work.toFixed(1)} ms of work (mean) and take ${(frames[60] ?? 0).toFixed(1)} ms (median), ${(frames[113] ?? 0).toFixed(1)} ms (95 %)`,
        );
        // A page that did nothing would be no measurement.
        expect(work).toBeGreaterThan(0);
        // Two frames, 60 of which make a second.
        expect(work).toBeLessThan(33);
        await who.leave();
    });

    test('finds a team by what is typed, and keeps it in the address', async () => {
        const who = await visitor();
        await pretendTeams(who.page, 10_000);
        await who.goto('/challenges/fashion-mnist/leaderboard');
        await who.page.getByRole('searchbox').fill('team-4711');
        await who.page.getByText('1 of 10,000 entries').waitFor();
        expect(new URL(who.page.url()).search).toBe('?q=team-4711');
        await who.leave();
    });
});
