<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// What the module needs of FreePBX, as far as it needs it: written for these tests, after how FreePBX 17 behaves.

namespace {
	interface BMO {
	}

	/** Settings of a module in memory. */
	class FreePBX_Helpers {
		/** @var array<string, array<string, mixed>> by id, then key */
		public array $stored = [];

		public function setConfig($key, $value = false, $id = 'noid') {
			unset($this->stored[$id][$key]);
			if ($value !== false) {
				$this->stored[$id][$key] = $value;
			}
			return true;
		}

		public function getConfig($key, $id = 'noid') {
			return $this->stored[$id][$key] ?? false;
		}

		public function getAll($id = 'noid') {
			return $this->stored[$id] ?? [];
		}

		public function deleteAll() {
			$this->stored = [];
		}
	}

	/** The feature codes of all modules, as FreePBX's table has them. */
	class featurecode {
		/** @var array<string, array{default: string, code: string, enabled: bool}> by "module/name" */
		public static array $table = [];
		private string $key;

		public function __construct($module, $name) {
			$this->key = "$module/$name";
		}

		public function setDescription($text) {
			$this->row()['description'] = $text;
		}

		public function setHelpText($text) {
		}

		/** What somebody has set before stays. */
		public function setDefault($code, $enabled = true) {
			self::$table[$this->key] = ['default' => $code] + $this->row() + ['enabled' => $enabled, 'code' => ''];
		}

		public function setProvideDest($provided = true) {
		}

		public function update() {
		}

		public function delete() {
			unset(self::$table[$this->key]);
		}

		public function getCodeActive() {
			$row = self::$table[$this->key] ?? ['enabled' => false];
			return $row['enabled'] ? ($row['code'] ?: $row['default']) : '';
		}

		private function &row() {
			self::$table[$this->key] ??= [];
			return self::$table[$this->key];
		}
	}

	/** How functions of a module come to its class. */
	class FreePBX {
		public static ?object $module = null;

		public static function Callsieve() {
			return self::$module;
		}
	}

	class guielement {
		public function __construct(public string $name, public string $html) {
		}
	}

	/** The form of an extension. FreePBX names a tab by what was said about its category in small letters. */
	class component {
		private array $names = [];
		/** @var guielement[][] by tab */
		private array $tabs = [];

		public function addTabTranslation($category, $name) {
			$this->names[$category] = $name;
		}

		public function addguielem($section, $element, $order = 5, $placement = null, $category = 'other') {
			$this->names[$category] ??= $category;
			$this->tabs[strtolower(trim($category))][] = $element;
		}

		/** @return array<string, guielement[]> by the name of a tab, '' for tabs that have none */
		public function shown(): array {
			return array_combine(array_map(fn ($tab) => $this->names[$tab] ?? '', array_keys($this->tabs)), $this->tabs);
		}
	}

	/** FreePBX itself: the parts of it that the module asks. */
	function freepbx(string $log) {
		$config = new class ($log) {
			public function __construct(private string $log) {
			}

			public function get($name) {
				return in_array($name, ['ASTETCDIR', 'ASTLOGDIR', 'ASTSPOOLDIR'], true) ? $this->log : '';
			}
		};
		$notifications = new class {
			public array $errors = [];

			public bool $broken = false;

			public function add_error($module, $id, ...$texts) {
				$this->mayFail();
				$this->errors["$module/$id"] = $texts;
			}

			public function add_warning($module, $id, ...$texts) {
				$this->add_error($module, $id, ...$texts);
			}

			public function add_notice($module, $id, ...$texts) {
				$this->add_error($module, $id, ...$texts);
			}

			public function delete($module, $id) {
				$this->mayFail();
				unset($this->errors["$module/$id"]);
			}

			private function mayFail() {
				if ($this->broken) {
					throw new \Exception('no database');
				}
			}
		};
		$job = new class {
			public array $jobs = [];

			public function addClass($module, $name, $class, $schedule) {
				$this->jobs["$module/$name"] = $schedule;
			}

			public function remove($module, $name) {
				unset($this->jobs["$module/$name"]);
			}
		};
		$dashboard = new class {
			public function genStatusIcon($type, $tooltip) {
				return ['type' => $type, 'tooltip' => htmlspecialchars($tooltip)];
			}
		};
		return (object) ['Config' => $config, 'Notifications' => $notifications, 'Job' => $job, 'Dashboard' => $dashboard];
	}

	if (!function_exists('_')) {
		function _($text) {
			return $text;
		}
	}

	/** FreePBX's list of all feature codes, for Feature Codes and for conflicts. */
	function featurecodes_getAllFeaturesDetailed() {
		$all = [];
		foreach (featurecode::$table as $key => $row) {
			[$module, $name] = explode('/', $key, 2);
			$all[] = [
				'modulename' => $module,
				'featurename' => $name,
				'featureenabled' => $row['enabled'] ? 1 : 0,
				'defaultcode' => $row['default'],
				'customcode' => $row['code'],
				'featuredescription' => $row['description'] ?? '',
			];
		}
		return $all;
	}

	class extension {
		public function __construct(private string $data) {
		}

		public function output() {
			return $this->data;
		}
	}

	/** The dialplan in the making: contexts, extensions between spaces, and steps. */
	class extensions {
		public array $_exts = [];
		private array $includes = [];

		public function add($section, $extension, $tag, $command) {
			$steps = &$this->_exts[$section][" $extension "];
			$steps ??= [];
			$steps[] = ['basetag' => $steps ? 'n' : '1', 'tag' => $tag, 'addpri' => false, 'cmd' => $command];
		}

		public function addSectionNoCustom($section, $without) {
		}

		public function addInclude($section, $included) {
			$this->includes[$section][] = $included;
		}

		/**
		 * Before a label, at the end where there is no such label, or at a position. As in FreePBX, an empty extension begins
		 * with the position as its key, and where keys do not begin with 0 the last step is lost.
		 */
		public function splice($section, $extension, $priority, $command) {
			$steps = $this->_exts[$section][" $extension "] ?? [];
			$step = ['basetag' => 'n', 'tag' => '', 'addpri' => '', 'cmd' => $command];
			if (!is_int($priority)) {
				$at = array_search($priority, array_column($steps, 'tag'), true);
				$priority = $at === false ? count($steps) : $at;
			}
			if ($priority === 0) {
				throw new \Exception("splice into $section,$extension at $priority");
			}
			if (!$steps) {
				$this->_exts[$section][" $extension "] = [$priority => ['basetag' => $priority] + $step];
				return;
			}
			$before = $steps;
			$steps[$priority] = $step;
			for ($number = $priority + 1; $number <= count($before); $number++) {
				$steps[$number] = $before[$number - 1];
			}
			$this->_exts[$section][" $extension "] = $steps;
		}

		public function generateConf() {
			$text = '';
			foreach (array_unique([...array_keys($this->_exts), ...array_keys($this->includes)]) as $section) {
				$text .= "[$section]\n";
				foreach ($this->includes[$section] ?? [] as $included) {
					$text .= "include => $included\n";
				}
				foreach ($this->_exts[$section] ?? [] as $extension => $steps) {
					foreach ($steps as $step) {
						$label = $step['tag'] === '' ? '' : "({$step['tag']})";
						$text .= 'exten => ' . trim($extension) . ",{$step['basetag']}$label,{$step['cmd']->output()}\n";
					}
				}
				$text .= "\n";
			}
			return $text;
		}

		/** A dialplan that was written as text: `exten =>`, `same =>` and `include =>` lines. */
		public static function read(string $text): self {
			$ext = new self();
			$section = $extension = '';
			foreach (explode("\n", $text) as $line) {
				if (preg_match('/^\[([^]]+)\]/', $line, $found)) {
					$section = $found[1];
				} elseif (preg_match('/^include => (.+)$/', $line, $found)) {
					$ext->addInclude($section, $found[1]);
				} elseif (preg_match('/^(?:exten => ([^,]+)|\s*same =>\s*),?[1n](?:\(([^)]+)\))?,(.+)$/', $line, $found)) {
					$extension = $found[1] !== '' ? $found[1] : $extension;
					$ext->add($section, $extension, $found[2], new extension($found[3]));
				}
			}
			return $ext;
		}
	}
}

namespace FreePBX\modules\Backup {
	/** What a module puts into a backup. */
	class BackupBase {
		public array $configs = [];
		public array $files = [];
		public array $lines = [];

		public function addDependency($module) {
		}

		public function addConfigs($configs) {
			$this->configs = $configs;
		}

		public function addFile($name, $path, $base, $type) {
			$this->files[] = "$path/$name";
		}

		public function dumpKVStore() {
			return ['routes' => ['1/' => 'no']];
		}

		public function dumpFeatureCodes() {
			return ['spam' => ['customcode' => '*99']];
		}

		public function log($line, $level = 'INFO') {
			$this->lines[] = $line;
		}
	}

	/** What a module gets back. */
	class RestoreBase extends BackupBase {
		public array $imported = [];
		public $FreePBX;

		public function getConfigs() {
			return $this->configs;
		}

		public function getFiles() {
			return $this->files;
		}

		public function importKVStore($store) {
			$this->imported[] = $store;
		}

		public function importFeatureCodes($codes) {
			$this->imported[] = $codes;
		}
	}
}

namespace UCP {
	/** The control panel, as far as a module of it asks: the user, their settings, and the texts' domain. */
	class Modules {
		public object $UCP;

		/** @param array $settings by "module/setting" */
		public static function panel(object $module, array $user, array $settings): self {
			$modules = new self();
			$modules->UCP = (object) [
				'User' => new class ($user) {
					public function __construct(private array $user) {
					}

					public function getUser() {
						return $this->user;
					}
				},
				'FreePBX' => (object) ['Callsieve' => $module],
				'Modgettext' => new class {
					public array $domains = ['ucp'];

					public function push_textdomain($module) {
						$this->domains[] = $module;
					}

					public function pop_textdomain() {
						array_pop($this->domains);
					}
				},
			];
			$modules->UCP = new class ($modules->UCP, $settings) {
				public function __construct(private object $parts, private array $settings) {
				}

				public function __get($name) {
					return $this->parts->$name;
				}

				public function getCombinedSettingByID($id, $module, $setting) {
					return $this->settings["$module/$setting"] ?? null;
				}
			};
			return $modules;
		}

		/** A module reads the panel in its constructor, through the collection of modules that made it. */
		public function __set($name, $value) {
			$this->UCP = $value->UCP;
		}
	}
}
