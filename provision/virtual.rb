# The providers of virtual machines: which box their machines come of, what they say of them, and
# what a network of theirs may not meet. Decides and reads; lab.rb asks and refuses.
require 'ipaddr'
require 'json'
require 'rbconfig'

module Virtual
  CPUS = 2

  # Pinned; none was booted yet. Bento builds none for libvirt after this one, and none for arm64.
  BOXES = {
    %w[virtualbox amd64] => ['bento/ubuntu-24.04', '202510.26.0'],
    %w[libvirt amd64] => ['bento/ubuntu-24.04', '202508.03.0'],
    %w[libvirt arm64] => ['cloud-image/ubuntu-24.04', '20250805.0.0']
  }.freeze

  # The network by which Vagrant reaches the provider's machines, beside the lab's own.
  MANAGEMENT = { 'libvirt' => '192.168.121.0/24', 'virtualbox' => '10.0.2.0/24' }.freeze

  # Where VirtualBox allows host-only networks unless its file says otherwise (its manual, "Host-Only
  # Networking").
  HOST_ONLY = '192.168.56.0/21'

  # architecture: nil for one that lab.yml names, which is Vagrant's to find.
  Box = Struct.new(:name, :version, :architecture) do
    def to_s = [name, version].compact.join(' ')
  end

  module_function

  def architecture(processor = RbConfig::CONFIG['host_cpu'])
    { 'x86_64' => 'amd64', 'x64' => 'amd64', 'aarch64' => 'arm64' }.fetch(processor, processor)
  end

  # settings: of lab.yml's `machines`. nil if none is known for the provider here.
  def box(settings, provider, architecture)
    return Box.new(settings['box'], settings['version'], nil) if settings['box']

    name, version = BOXES[[provider, architecture]]
    name && Box.new(name, settings.fetch('version', version), architecture)
  end

  # What `virsh dominfo` tells of a machine. memory: MiB.
  def domain(text)
    { 'name' => text[/^Name:\s+(\S+)/, 1], 'memory' => text[/^Max memory:\s+(\d+) KiB/, 1].to_i / 1024,
      'cpus' => text[/^CPU\(s\):\s+(\d+)/, 1].to_i, 'running' => text[/^State:\s+(.+)/, 1] != 'shut off' }
  end

  # What `VBoxManage showvminfo --machinereadable` tells of a machine. memory: MiB.
  def vm(text)
    { 'name' => text[/^name="(.*)"/, 1], 'memory' => text[/^memory=(\d+)/, 1].to_i, 'cpus' => text[/^cpus=(\d+)/, 1].to_i,
      'running' => !%w[poweroff aborted].include?(text[/^VMState="(.*)"/, 1]) }
  end

  # Of what lists machines (`virsh list --uuid --name`, `VBoxManage list vms`): name -> id.
  def listed(provider, text)
    pattern = provider == 'libvirt' ? /^(?<id>\S+)\s+(?<name>\S+)/ : /^"(?<name>.*)" \{(?<id>.*)\}/
    text.lines.filter_map { |line| line.match(pattern) }.to_h { |found| [found[:name], found[:id]] }
  end

  # A machine as Lab.machine describes one: the provider tells its name and size, Vagrant its box
  # (box_meta), and .lab/machines.json the address. A halted one takes the wanted size when it starts.
  def made(told, box_meta, written, wanted)
    size = told['running'] ? told : wanted
    # lab.yml may leave the version open.
    box = box_meta && box_meta.values_at('name', 'version').first(wanted['box'].split.size).join(' ')
    wanted.merge(written.slice('address'), size.slice('memory', 'cpus'),
                 'name' => told['name'], 'box' => box || wanted['box'])
  end

  # The subnets of a libvirt network, of `virsh net-dumpxml`.
  def subnets(xml)
    xml.scan(/<ip ([^>]*)>/).filter_map do |(attributes)|
      address, netmask, prefix = %w[address netmask prefix].map { |name| attributes[/\b#{name}=['"]([^'"]*)/, 1] }
      range = IPAddr.new("#{address}/#{netmask || prefix}")
      "#{range}/#{range.prefix}" if range.ipv4?
    end
  end

  # Whether VirtualBox makes a host-only network of it. text: of its networks.conf, or nil.
  def host_only?(subnet, text)
    ranges = text ? text.lines.map(&:strip).grep(/\A\*/).flat_map { |line| line.delete_prefix('*').split } : [HOST_ONLY]
    ranges.any? { |range| IPAddr.new(range).include?(IPAddr.new(subnet)) }
  end

  # What is in the way of more machines, or nil. nodes: name -> MiB of those that are to be started.
  def shortage(nodes, free)
    needed = nodes.values.sum
    return if needed <= free

    "no room for #{nodes.size} virtual machines: they take #{needed} MiB of memory (lab.yml: nodes), and #{free} MiB are free: " \
      'end something, or have containers, which share it: VAGRANT_DEFAULT_PROVIDER=docker'
  end
end
