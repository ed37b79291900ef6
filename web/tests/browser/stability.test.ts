/** Whether pages stay where they are while they load: cumulative layout shift, on a line on which everything comes late. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { useBrowser } from './browser';
import { closedChallenge } from './pages';

const { visitor } = useBrowser();

/** Good, by https://web.dev/articles/cls, is 0.1. */
const MOST_SHIFT = 0.02;

interface Shift {
    value: number;
    moved: string[];
}

/** Remembers in the page whatever moves without having been asked to. */
async function watchShifts(page: Page): Promise<void> {
    await page.addInitScript(() => {
        const shifts: { value: number; moved: string[] }[] = [];
        Object.assign(window, { shifts });
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean; sources: { node: Node | null }[] })[]) {
                if (entry.hadRecentInput) continue;
                shifts.push({ value: entry.value, moved: entry.sources.map(({ node }) => (node instanceof Element ? node.outerHTML : (node?.textContent ?? '')).slice(0, 160)) });
            }
        }).observe({ type: 'layout-shift', buffered: true });
    });
}

/** Documents arrive one after the other, the fonts and what only some pages need after them. */
async function slowDown(page: Page): Promise<void> {
    let asked = 0;
    await page.route(/\/api\/v1\/.*|\.woff2$|\/chunks\//, async (route) => {
        const address = route.request().url();
        // Chunks that are asked for after the first document are those that only some pages need.
        const wait = address.endsWith('.woff2') ? 2_500 : address.includes('/chunks/') ? (asked > 0 ? 1_000 : 20) : 150 + 120 * (asked++ % 4);
        await new Promise((resolve) => setTimeout(resolve, wait));
        await route.continue().catch(() => {});
    });
}

test.each([
    ['a challenge', 1280, '/challenges/fashion-mnist', 'canvas'],
    ['a challenge', 360, '/challenges/fashion-mnist', 'canvas'],
    ['an open board', 1280, '/challenges/fashion-mnist/leaderboard', 'tr[data-row]'],
    ['an open board', 360, '/challenges/fashion-mnist/leaderboard', 'tr[data-row]'],
    ['a closed board', 1280, '', 'th:has-text("Shift")'],
    ['a closed board', 360, '', 'th:has-text("Shift")'],
] as const)('%s, %d pixels wide, does not move while it loads', async (_, width, path, shows) => {
    const address = path || `/challenges/${(await closedChallenge()).slug}/leaderboard`;
    const ada = await visitor({ viewport: { width, height: 900 } });
    await watchShifts(ada.page);
    await slowDown(ada.page);
    await ada.goto(address);
    await ada.page.locator(shows).first().waitFor();
    await ada.page.evaluate(() => document.fonts.ready);
    await ada.page.waitForLoadState('networkidle').catch(() => {});
    const shifts = await ada.page.evaluate(() => (window as unknown as { shifts: Shift[] }).shifts);
    const total = shifts.reduce((sum, { value }) => sum + value, 0);
    console.log(`layout shift of ${address}, ${width} pixels wide: ${total.toFixed(4)}`);
    expect(total, JSON.stringify(shifts, null, 1)).toBeLessThan(MOST_SHIFT);
    await ada.leave();
});
