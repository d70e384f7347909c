<?php
// SPDX-License-Identifier: GPL-3.0-or-later

require_once __DIR__ . '/stubs.php';
require_once __DIR__ . '/../callsieve/Dialplan.php';

use FreePBX\modules\Callsieve\Dialplan;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class DialplanTest extends TestCase {
	private const PICKUP = ':GosubIf($["${CALLSIEVE_ACTION}" = "warn" | "${CALLSIEVE_ACTION}" = "challenge"]?app-callsieve-pickup,s,1)';
	private const ROUTE = <<<'CONF'
		exten => %s,1,Set(__FROM_DID=${EXTEN})
		same => n(did),Set(CDR(did)=${FROM_DID})
		same => n,Gosub(app-blacklist-check,s,1)
		same => n(callerid),ExecIf($["${CALLERID(name)}" = ""]?Set(CALLERID(name)=${CALLERID(num)}))
		same => n,Gosub(cidlookup,cidlookup_1,1)
		same => n(did-cid-hook),Noop(CallerID Entry Point)
		same => n(dest-ext),Goto(%s)
		CONF;

	private static function route(string $context, string $exten, string $destination = 'from-did-direct,201,1'): string {
		return "[$context]\n" . str_replace("\t", '', sprintf(self::ROUTE, $exten, $destination)) . "\n";
	}

	private static function built(string $text, array $unscreened = [], array $codes = []): extensions {
		$ext = extensions::read($text);
		Dialplan::add($ext, $unscreened, $codes);
		return $ext;
	}

	/** The steps of an extension as text, with their labels. */
	private static function steps(extensions $ext, string $context, string $exten): array {
		return array_map(fn ($step) => $step['tag'] . ':' . $step['cmd']->output(), $ext->_exts[$context][" $exten "] ?? []);
	}

	private static function screened(extensions $ext, string $context, string $exten): bool {
		return str_contains(implode("\n", self::steps($ext, $context, $exten)), 'callsieve,s,1');
	}

	public static function routes(): array {
		return [
			'a DID' => ['ext-did-0002', '442071838750', '442071838750/'],
			'a DID with a plus' => ['ext-did-0002', '+442071838750', '+442071838750/'],
			'a DID and a caller' => ['ext-did-0001', '442071838750/12015550100', '442071838750/12015550100'],
			'any DID of a caller' => ['ext-did-0001', 's/12015550100', '/12015550100'],
			'any call' => ['ext-did-0001', 's', '/'],
			'a pattern' => ['ext-did-0002', '_4420718387XX', '_4420718387XX/'],
		];
	}

	#[DataProvider('routes')]
	public function testARouteIsScreenedOnceUnlessItsAnswerIsNo(string $context, string $exten, string $name): void {
		$text = self::route($context, $exten);
		$this->assertTrue(self::screened(self::built($text), $context, $exten));
		$this->assertSame($name, Dialplan::routeName($exten));
		$this->assertSame(
			self::steps(extensions::read($text), $context, $exten),
			self::steps(self::built($text, [$name]), $context, $exten),
		);
	}

	public function testItStandsAfterTheBlacklistAndTheNameAfterLookups(): void {
		$steps = self::steps(self::built(self::route('ext-did-0002', '1')), 'ext-did-0002', '1');
		$places = array_map(
			fn ($text) => array_key_first(array_filter($steps, fn ($step) => str_contains($step, $text))),
			['app-blacklist-check', 'callsieve,s,1(', '?app-callsieve-screened', 'callerid:', 'cidlookup_1', 'app-callsieve-name', 'did-cid-hook:'],
		);
		$sorted = $places;
		sort($sorted);
		$this->assertSame($sorted, $places);
	}

	public function testWhatIsNoRouteIsLeftAlone(): void {
		$text = "[ext-did-0002]\nexten => foo,1,Noop(bar)\n[ext-did-0001]\nexten => _.,1,Goto(s,1)\n[ext-local]\nexten => 201,1,Noop()\n";
		$ext = self::built($text);
		foreach (['ext-did-0002' => 'foo', 'ext-did-0001' => '_.', 'ext-local' => '201'] as $context => $exten) {
			$this->assertCount(1, $ext->_exts[$context][" $exten "]);
		}
	}

	public function testAnEmptyDialplanIsNoError(): void {
		$this->assertArrayNotHasKey('func-apply-sipheaders', self::built('')->_exts);
		$this->assertArrayNotHasKey('macro-auto-blkvm', self::built('')->_exts);
	}

	public function testThePhonePartComesBetweenTheListOfHeadersAndTheirLoop(): void {
		$steps = self::steps(
			self::built("[func-apply-sipheaders]\nexten => s,1,Noop()\nsame => n,Set(SIPHEADERKEYS=\${HASHKEYS(SIPHEADERS)})\nsame => n,While(x)\n"),
			'func-apply-sipheaders',
			's',
		);
		$this->assertStringContainsString('?app-callsieve-phone,s,1)', $steps[2]);
		$this->assertCount(4, $steps);
	}

	public function testTheWhisperIsTheLastBeforeReturn(): void {
		$steps = self::steps(self::built("[macro-auto-blkvm]\nexten => s,1,Set(__MACRO_RESULT=)\nsame => n,Return()\n"), 'macro-auto-blkvm', 's');
		$this->assertSame([':Set(__MACRO_RESULT=)', self::PICKUP, ':Return()'], $steps);
	}

	public function testNoStepIsLostWhereAnotherModuleWasTooEarly(): void {
		$ext = new extensions();
		$ext->splice('macro-auto-blkvm', 's', 1, new extension('ExecIf(queue)'));
		foreach (['Set(__MACRO_RESULT=)', 'Set(CFIGNORE=)', 'Return()'] as $step) {
			$ext->add('macro-auto-blkvm', 's', '', new extension($step));
		}
		Dialplan::add($ext, [], []);
		$this->assertSame(
			[':ExecIf(queue)', ':Set(__MACRO_RESULT=)', ':Set(CFIGNORE=)', self::PICKUP, ':Return()'],
			self::steps($ext, 'macro-auto-blkvm', 's'),
		);
	}

	public static function codes(): array {
		return [
			'none' => [[], []],
			'one, changed' => [['spam' => '*99'], ['*99']],
			'switched off' => [['spam' => '', 'ok' => '*38'], ['*38']],
			'no code of Asterisk\'s' => [['spam' => "*3\n7", 'ok' => 'x'], []],
		];
	}

	#[DataProvider('codes')]
	public function testOnlyCodesThatAreOnAreThere(array $codes, array $expected): void {
		$ext = self::built('', [], $codes);
		$this->assertSame($expected, array_map('trim', array_keys($ext->_exts[Dialplan::CODES] ?? [])));
		$this->assertSame($expected !== [], str_contains($ext->generateConf(), 'include => ' . Dialplan::CODES));
	}
}
