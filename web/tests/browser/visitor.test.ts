import { describe, expect, test } from 'vitest';
import { useBrowser } from './browser';

const { visitor } = useBrowser();

describe('a visitor', () => {
    test('who asks for what is not there gets words and a way on', async () => {
        const ada = await visitor();
        ada.expectTrouble(/404/);
        await ada.goto('/challenges/no-such-challenge');
        expect(await ada.page.locator('h1').textContent()).toBe('Nothing here');
        await ada.page.getByRole('link', { name: 'All challenges' }).click();
        await ada.page.waitForURL('/');
        await ada.leave();
    });
});
