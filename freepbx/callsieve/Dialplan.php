<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/**
 * What CallSieve adds to the dialplan that FreePBX generates. Nothing is read or written but the `extensions` object.
 *
 * The contexts `callsieve`, `callsieve-phone`, `callsieve-whisper`, ... come from CallSieve's own files, which
 * `callsieve asterisk install --freepbx` installs. Where they are missing, or nobody can say whether they are there
 * (an Asterisk without func_dialplan), each line here does nothing: a Gosub to nowhere would end the call.
 */
class Dialplan {
	public const CONTEXT = 'app-callsieve';
	public const CODES = 'app-callsieve-codes';
	/** Stands in Dial's options, in which FreePBX replaces the letters r, t and T wherever they are. */
	public const PICKUP = 'app-callsieve-pickup';
	/** The argument of `callsieve-code` or `callsieve-explain`, by the name of the feature code. */
	public const WORDS = [
		'quiet' => 'quiet',
		'whispers' => 'whispers',
		'dnc' => 'dnc',
		'allow' => 'allow',
		'block' => 'block',
		'expect' => 'expect',
		'explain' => '',
		'spam' => 'spam',
		'ok' => 'ok',
		'passcode' => 'passcode',
	];
	/** Those that are answered with a sentence. */
	private const SPOKEN = ['explain', 'passcode'];

	private const ROUTES = ['ext-did-0001', 'ext-did-0002'];

	/**
	 * @param object $ext what FreePBX hands to doDialplanHook
	 * @param string[] $unscreened routes that are not screened, as "DID/caller", either part may be empty
	 * @param array<string, string> $codes feature codes that are switched on, by the names of WORDS
	 */
	public static function add($ext, array $unscreened, array $codes): void {
		self::addContexts($ext);
		self::addDestination($ext);
		foreach (self::routes($ext) as [$context, $exten]) {
			if (!in_array(self::routeName($exten), $unscreened, true)) {
				self::screen($ext, $context, $exten);
			}
		}
		self::addPhonePart($ext);
		self::addWhisper($ext);
		self::addCodes($ext, $codes);
	}

	/** "DID/caller" of a route by the extension that FreePBX generates for it: `s` is any DID. */
	public static function routeName(string $exten): string {
		[$did, $caller] = explode('/', $exten, 2) + [1 => ''];
		return ($did === 's' ? '' : $did) . '/' . $caller;
	}

	/** Each inbound route that has FreePBX's two labels: its context and extension. */
	private static function routes($ext): iterable {
		foreach (self::ROUTES as $context) {
			foreach (array_keys($ext->_exts[$context] ?? []) as $key) {
				$exten = trim((string) $key);
				if (self::labelled($ext, $context, $exten, 'callerid') && self::labelled($ext, $context, $exten, 'did-cid-hook')) {
					yield [$context, $exten];
				}
			}
		}
	}

	/**
	 * Before the label `callerid`, so after FreePBX's blacklist; the name goes back on at `did-cid-hook`, after lookups.
	 *
	 * Gosub(callsieve,...) stands in the route itself: what is routed elsewhere leaves one subroutine, not two. A call that
	 * was screened in its trunk's context (from-trunk-callsieve) is not asked about again.
	 */
	private static function screen($ext, string $context, string $exten): void {
		$number = '${FILTER(0-9A-Za-z+*#,${FROM_DID})}';
		self::splice($ext, $context, $exten, 'callerid', [
			'GosubIf($["${DIALPLAN_EXISTS(callsieve,s,1)}" = "1"]?callsieve,s,1(' . $number . '))',
			'GosubIf($["${CALLSIEVE_TAGGED}" = "1" | ${LEN(${CALLSIEVE_NAME})} > 0 | "${CALLSIEVE_ACTION}" = "challenge"]?app-callsieve-screened,s,1)',
		]);
		self::splice($ext, $context, $exten, 'did-cid-hook', [
			'GosubIf($["${CALLSIEVE_TAGGED}" = "1" | ${LEN(${CALLSIEVE_SHOWN})} > 0]?app-callsieve-name,s,1)',
		]);
	}

	private static function addContexts($ext): void {
		// After the answer. A lookup must not see the tag, or store it: the name is without it until app-callsieve-name.
		self::context($ext, 'app-callsieve-screened', 's', [
			'GotoIf($["${CALLSIEVE_TAGGED}" = "1"]?tagged)',
			'GotoIf($["${CALLSIEVE_ACTION}" = "allow" | "${CALLSIEVE_ASK}" = "number"]?keep)',
			'GotoIf($["${CALLSIEVE_ACTION}" = "challenge" & "${CALLSIEVE_ASK}" = "name"]?pickup:done)',
			'keep' => 'Set(CALLSIEVE_SHOWN=${CALLERID(name)})',
			'Goto(done)',
			'tagged' => 'Set(CALLERID(name)=${CALLSIEVE_PLAIN})',
			'GotoIf($["${CALLSIEVE_ACTION}" != "warn"]?done)',
			// For one extension FreePBX adds nothing to DIAL_OPTIONS; in groups and queues its macro-auto-blkvm comes after ours.
			'pickup' => 'Set(__DIAL_OPTIONS=${DIAL_OPTIONS}U(' . self::PICKUP . '))',
			'done' => 'Return()',
		]);
		self::context($ext, 'app-callsieve-name', 's', [
			'GotoIf($["${CALLSIEVE_TAGGED}" = "1"]?tagged)',
			'Set(CALLERID(name)=${CALLSIEVE_SHOWN})',
			'Return()',
			// A phone that knows the caller shows the name that was looked up; the others show it after the tag.
			// The label is inherited, so that [callsieve-freepbx-outbound] can take it off where a phone forwards outside.
			'tagged' => 'Set(__CALLSIEVE_PLAIN=${CALLERID(name)})',
			'Set(__CALLSIEVE_LABEL=${CALLSIEVE_LABEL})',
			'Set(CALLERID(name)=${CALLSIEVE_LABEL} ${CALLSIEVE_PLAIN})',
			'Return()',
		]);
		// On each phone's channel before it rings. Where ours is the Alert-Info, FreePBX's own is not sent as well.
		// "unset" is what FreePBX writes for calls that leave by a trunk: no ring of ours goes to a carrier.
		self::context($ext, 'app-callsieve-phone', 's', [
			'GotoIf($["${HASH(SIPHEADERS,Alert-Info)}" = "unset"]?done)',
			'GotoIf($["${DIALPLAN_EXISTS(callsieve-phone,s,1)}" != "1"]?done)',
			'Gosub(callsieve-phone,s,1)',
			'GotoIf($["${CALLSIEVE_ACTION}" != "tag" & "${CALLSIEVE_ACTION}" != "warn"]?done)',
			'Set(SIPHEADERKEYS=${LISTFILTER(SIPHEADERKEYS,\,,Alert-Info)})',
			'done' => 'Return()',
		]);
		// On the phone that picked up, before the two talk: the warning, or what the caller said when he was asked for a name.
		// Follow Me dials a Local channel that dials the phone: heard on the phone, and not once more on the Local channel.
		self::context($ext, self::PICKUP, 's', [
			'GotoIf($["${CHANNEL(name):0:10}" = "Local/FMPR" | "${CHANNEL(name):0:10}" = "Local/FMGL"]?talk)',
			'GotoIf($["${CALLSIEVE_ACTION}" = "warn" & "${DIALPLAN_EXISTS(callsieve-whisper,s,1)}" = "1"]?callsieve-whisper,s,1)',
			'GotoIf($["${CALLSIEVE_ACTION}" = "challenge" & "${DIALPLAN_EXISTS(callsieve-screened,s,1)}" = "1"]?callsieve-screened,s,1)',
			'talk' => 'Return()',
		]);
	}

	/** Where a route, an IVR or a time condition may send a call. */
	private static function addDestination($ext): void {
		self::context($ext, self::CONTEXT, 'reject', [
			'GotoIf($["${DIALPLAN_EXISTS(callsieve,reject,1)}" != "1"]?end)',
			'ExecIf($["${CALLSIEVE_SIP_CODE}" = ""]?Set(CALLSIEVE_SIP_CODE=603))',
			'Goto(callsieve,reject,1)',
			'end' => 'Hangup(21)',
		]);
	}

	/** After func-apply-sipheaders has listed its headers, and before it adds them. */
	private static function addPhonePart($ext): void {
		$steps = array_values($ext->_exts['func-apply-sipheaders'][' s '] ?? []);
		foreach ($steps as $number => $step) {
			if (str_starts_with((string) $step['cmd']->output(), 'Set(SIPHEADERKEYS=')) {
				$differs = '"${CALLSIEVE_ACTION}" = "tag" | "${CALLSIEVE_ACTION}" = "warn" | ${LEN(${CALLSIEVE_KNOWN}${CALLSIEVE_BLOCKED})} > 0';
				self::splice($ext, 'func-apply-sipheaders', 's', $number + 1, ['GosubIf($[' . $differs . ']?app-callsieve-phone,s,1)']);
				return;
			}
		}
	}

	/** Last in macro-auto-blkvm, which FreePBX runs on the phone that picked up in a group, a queue or Follow Me. */
	private static function addWhisper($ext): void {
		$steps = array_values($ext->_exts['macro-auto-blkvm'][' s '] ?? []);
		$last = count($steps) - 1;
		if ($last > 0 && str_starts_with((string) $steps[$last]['cmd']->output(), 'Return')) {
			$heard = '"${CALLSIEVE_ACTION}" = "warn" | "${CALLSIEVE_ACTION}" = "challenge"';
			self::splice($ext, 'macro-auto-blkvm', 's', $last, ['GosubIf($[' . $heard . ']?' . self::PICKUP . ',s,1)']);
		}
	}

	private static function addCodes($ext, array $codes): void {
		$there = false;
		foreach (self::WORDS as $name => $word) {
			$code = $codes[$name] ?? '';
			if ($code === '' || !preg_match('/^[0-9*#]+$/', $code)) {
				continue;
			}
			$asked = in_array($name, self::SPOKEN, true) ? 'callsieve-explain' : 'callsieve-code';
			self::context($ext, self::CODES, $code, [
				'GosubIf($["${DIALPLAN_EXISTS(' . $asked . ',s,1)}" = "1"]?' . "$asked,s,1($word))",
				'Playback(im-sorry&feature-not-avail-line)',
				'Hangup()',
			]);
			$there = true;
		}
		if ($there) {
			$ext->addInclude('from-internal-additional', self::CODES);
		}
	}

	/** Steps of a new extension, with their labels as keys. */
	private static function context($ext, string $context, string $exten, array $steps): void {
		$ext->addSectionNoCustom($context, true); // else Asterisk warns at each reload of a context that nobody has
		foreach ($steps as $label => $step) {
			$ext->add($context, $exten, is_string($label) ? $label : '', new \extension($step));
		}
	}

	/**
	 * Steps before a label or a position that is there.
	 *
	 * FreePBX counts the steps of an extension from 1 where a module spliced into it before it was there (its queues module
	 * does so with macro-auto-blkvm), and then loses the last one in the next splice.
	 */
	private static function splice($ext, string $context, string $exten, string|int $before, array $steps): void {
		$ext->_exts[$context][" $exten "] = array_values($ext->_exts[$context][" $exten "]);
		foreach ($steps as $number => $step) {
			$ext->splice($context, $exten, is_int($before) ? $before + $number : $before, new \extension($step));
		}
	}

	private static function labelled($ext, string $context, string $exten, string $label): bool {
		return in_array($label, array_column($ext->_exts[$context][" $exten "] ?? [], 'tag'), true);
	}
}
